//! What others can read of a program's memory, which holds keys.

use super::STREAMS;
use harness::Site;
use harness::traced::traced;
use std::fs;
use std::process::Command;

#[test]
fn neither_program_can_be_dumped_and_the_agent_gets_no_new_privileges() {
    let site = Site::new("file:///unused", STREAMS);
    site.init();
    let forbids = |command: &Command, calls: &[&str]| {
        let trace = site.path("out/trace");
        let options = ["-e", "trace=prctl,prlimit64"];
        let mut command = traced(command, &trace, &options);
        command.output().unwrap();
        let told = fs::read_to_string(&trace).unwrap();
        for call in calls {
            let line = told.lines().find(|line| line.contains(call));
            assert!(
                line.is_some_and(|line| line.contains("= 0")),
                "{call}: {told}"
            );
        }
    };
    let dumps = [
        "RLIMIT_CORE, {rlim_cur=0",
        "PR_SET_DUMPABLE, SUID_DUMP_DISABLE",
    ];
    forbids(&site.archive_command(&["--check"]), &dumps);
    let privileges = [dumps[0], dumps[1], "PR_SET_NO_NEW_PRIVS, 1"];
    forbids(&site.agent_command(&["drain"]), &privileges);
}

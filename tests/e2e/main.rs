//! End to end: the real programs on real files, against real servers. The list says what belongs where.

mod adopt; // hosts set up again, and what they continue
mod agent_faults; // what the agent's status says of each fault
mod answers; // what the archiver refuses, and what is lost on the host, answered; and what the auditor is told of it
mod badinput; // what must happen on bad input, a test a sentence
mod bench; // what ./bench says to wrong words
mod crash; // programs and server killed while they work
mod demo; // README's first command
mod exits; // every command and exit code, a test each; what --check and status say
mod faults; // everything that may go wrong between an archiver, its bucket and its disk, a fault a test
mod flow; // lines go in while logs rotate, objects come out, everything comes back
mod kills; // both programs killed before each call, and calls that fail
mod layout; // docker-compose.yml as it runs: who can read, write and reach what
mod modes; // mode and owner of every file, whatever the umask
mod oracle; // the reader in Python that has the last word on what is lost and what is twice
mod probe; // stores that enforce locks, that do not, and that can't be asked; what an archiver tries at its start
mod roles; // what the accounts of infra/iam may do, and what each is refused
mod shapes; // lines of every shape
mod stores; // one conformance suite on every store: what the Store trait promises, by capability
mod takeover; // what whoever took over an account beside Holdfast's tries, a file an account
mod tracking; // logs that are hard to follow
mod upgrade; // what the first version left, refused and untouched
mod vectors; // format 1's fixed examples, and the by-hand check, with stock tools
mod verify; // what an auditor is told: tampering, silence, copies, exit codes
mod wire; // the exact requests that go out, and answers that a good server never gives

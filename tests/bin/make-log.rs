//! Writes a large log made of the sample logs with their numbers varied, for the benchmark:
//! `make-log <bytes> <seed>` on stdout. The same arguments give the same bytes.

use harness::{Dice, samples};
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let numbers: Vec<u64> = std::env::args()
        .skip(1)
        .map_while(|text| text.parse().ok())
        .collect();
    let [bytes, seed] = numbers[..] else {
        eprintln!("usage: make-log <bytes> <seed>");
        return ExitCode::from(3);
    };
    match write(
        bytes,
        &mut Dice::new(seed),
        &mut BufWriter::new(io::stdout().lock()),
    ) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("make-log: {error}");
            ExitCode::from(2)
        }
    }
}

/// Cycles through the samples' lines, each time with other digits, until `bytes` are written.
fn write(bytes: u64, dice: &mut Dice, out: &mut impl Write) -> io::Result<()> {
    let samples = samples::logs();
    let lines: Vec<&[u8]> = samples.iter().flat_map(samples::Sample::lines).collect();
    let mut written = 0;
    let mut line = Vec::new();
    for original in lines.iter().cycle() {
        if written >= bytes {
            break;
        }
        line.clear();
        let text = original.strip_suffix(b"\n").unwrap_or(original);
        line.extend_from_slice(text.strip_suffix(b"\r").unwrap_or(text));
        vary(&mut line, dice);
        line.push(b'\n');
        out.write_all(&line)?;
        written += line.len() as u64;
    }
    out.flush()
}

/// Changes about one digit in three: real logs repeat most of a number and vary its end.
fn vary(line: &mut [u8], dice: &mut Dice) {
    let mut throw = 0_u64;
    for (at, byte) in line.iter_mut().enumerate() {
        if at % 12 == 0 {
            throw = dice.throw();
        }
        if byte.is_ascii_digit() && throw.is_multiple_of(3) {
            *byte = b'0' + (throw / 3 % 10) as u8;
        }
        throw = throw.rotate_right(5);
    }
}

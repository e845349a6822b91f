//! Runs the harness's MinIO for trying things by hand: prints the environment that reaches it, then
//! serves until its stdin ends. All data are gone then.

use harness::account::root;
use harness::server::REGION;
use harness::{Kind, Server};
use std::io::Read as _;

fn main() {
    let server = Server::start(Kind::Minio);
    println!("AWS_ENDPOINT_URL_S3={}", server.endpoint());
    println!("AWS_REGION={REGION}");
    println!("AWS_ACCESS_KEY_ID={}", root().key);
    println!("AWS_SECRET_ACCESS_KEY={}", root().secret);
    println!();
    // Ends with stdin; a broken one is an end as well.
    std::io::stdin().lock().read_to_end(&mut Vec::new()).ok();
}

//! Runs the harness's MinIO for a script or for trying things by hand: prints the environment that
//! reaches it, then serves until its stdin ends. All data are gone then.

use harness::Minio;
use harness::minio::{REGION, root};
use std::io::Read as _;

fn main() {
    let minio = Minio::start();
    println!("AWS_ENDPOINT_URL_S3={}", minio.endpoint());
    println!("AWS_REGION={REGION}");
    println!("AWS_ACCESS_KEY_ID={}", root().key);
    println!("AWS_SECRET_ACCESS_KEY={}", root().secret);
    println!();
    // Ends with stdin; a broken one is an end as well.
    std::io::stdin().lock().read_to_end(&mut Vec::new()).ok();
}

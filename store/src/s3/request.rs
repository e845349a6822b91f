//! One request: sent once, within its time limit, its answer read within its bound.

use super::super::{StoreAnswer, StoreError};
use super::S3Store;
use super::error_answer::{causes, explain};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};
use std::error::Error;
use std::future::Future;
use std::time::Duration;

/// Room that is made for an object before its bytes come: the largest batch of ours fits.
const ROOM_MAX_BYTES: usize = 32 * 1024 * 1024;

impl S3Store {
    pub(super) fn asked(&self, operation: &str, key: &str) -> String {
        let Self { url, place, .. } = self;
        let slash = if key.is_empty() { "" } else { "/" };
        format!("{operation} {url}{slash}{key}{place}")
    }

    pub(super) fn full(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Sends one request, with a time limit that allows for `bytes` of body.
    pub(super) async fn send<T, E>(
        &self,
        (operation, key): (&str, &str),
        bytes: u64,
        request: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Result<T, StoreError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let limit = self.limits.of(bytes);
        match tokio::time::timeout(limit, request).await {
            Ok(done) => done.map_err(|error| explain(self.asked(operation, key), &error)),
            Err(_) => Err(StoreError::Busy(self.too_slow((operation, key), limit))),
        }
    }

    fn too_slow(&self, (operation, key): (&str, &str), limit: Duration) -> StoreAnswer {
        let said = format!("no whole answer within {limit:?}");
        StoreAnswer::new(self.asked(operation, key), said)
    }

    pub(super) fn broken(
        &self,
        (operation, key): (&str, &str),
        said: impl Into<String>,
    ) -> StoreError {
        StoreError::Broken(StoreAnswer::new(self.asked(operation, key), said))
    }

    /// Reads an object, and no further than `max_bytes`.
    pub(super) async fn read(
        &self,
        key: &str,
        reply: &mut GetObjectOutput,
        max_bytes: u64,
    ) -> Result<Bytes, StoreError> {
        let what = ("get", key);
        let announced = reply.content_length();
        let announced = announced.and_then(|size| u64::try_from(size).ok());
        let limit = self.limits.of(announced.unwrap_or(max_bytes));
        let reading = self.collect(what, &mut reply.body, announced, max_bytes);
        match tokio::time::timeout(limit, reading).await {
            Ok(bytes) => bytes,
            Err(_) => Err(StoreError::Busy(self.too_slow(what, limit))),
        }
    }

    async fn collect(
        &self,
        (operation, key): (&str, &str),
        body: &mut ByteStream,
        announced: Option<u64>,
        max_bytes: u64,
    ) -> Result<Bytes, StoreError> {
        let answer = |said: String| StoreAnswer::new(self.asked(operation, key), said);
        let too_large = || StoreError::TooLarge {
            max_bytes,
            answer: answer(format!("longer than the {max_bytes} bytes it may have")),
        };
        if announced.is_some_and(|size| size > max_bytes) {
            return Err(too_large());
        }
        // What is announced is not yet there: no server makes us reserve more than this.
        let room = announced.and_then(|size| usize::try_from(size).ok());
        let mut bytes = BytesMut::with_capacity(room.unwrap_or(0).min(ROOM_MAX_BYTES));
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| {
                StoreError::Busy(answer(format!("the answer broke off: {}", causes(&error))))
            })?;
            if bytes.len().saturating_add(piece.len()) as u64 > max_bytes {
                return Err(too_large());
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    }
}

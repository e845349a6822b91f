//! A request that a front changes must be signed again, or the server refuses it for that alone. It is signed as
//! root: so a front can be a server that passes over a header, has another clock, or other accounts.

use super::Request;
use crate::account::root;
use crate::server::REGION;
use aws_credential_types::Credentials;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use std::time::SystemTime;

/// What of a request and its reply is changed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Change {
    /// Headers that the server behind does not get.
    pub without: &'static [&'static str],
    /// How far the server's clock seems to be ahead.
    pub ahead_s: i64,
}

/// The time of a server whose clock is so far ahead, as its replies tell it.
#[must_use]
pub fn now_header(ahead_s: i64) -> String {
    let now = DateTime::from(SystemTime::now()).secs();
    let told = DateTime::from_secs(now + ahead_s).fmt(DateTimeFormat::HttpDate);
    told.expect("a date")
}

impl Change {
    /// The request as the server behind gets it.
    pub(super) fn request(self, mut request: Request) -> Request {
        let ours = ["authorization", "x-amz-date", "x-amz-security-token"];
        request.headers.retain(|(name, _)| {
            !self.without.contains(&name.as_str()) && !ours.contains(&name.as_str())
        });
        let account = root();
        let identity = Credentials::new(account.key, account.secret, None, None, "front").into();
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name("s3")
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .expect("all that a signature needs")
            .into();
        let hash = request.header("x-amz-content-sha256").map(str::to_owned);
        let host = request.header("host").unwrap_or_default();
        let url = format!("http://{host}{}", request.target);
        let signed = |name: &str| !["connection", "expect", "user-agent"].contains(&name);
        let headers = request.headers.iter();
        let headers = headers.map(|(name, value)| (name.as_str(), value.as_str()));
        let signable = SignableRequest::new(
            &request.method,
            url.as_str(),
            headers.filter(|(name, _)| signed(name)),
            SignableBody::Precomputed(hash.unwrap_or_default()),
        );
        let done = sign(signable.expect("a request"), &params).expect("a signature");
        let (instructions, _) = done.into_parts();
        for (name, value) in instructions.headers() {
            request.headers.push((name.to_owned(), value.to_owned()));
        }
        request
    }

    /// The reply as the client gets it.
    pub(super) fn reply(self, reply: Vec<u8>) -> Vec<u8> {
        if self.ahead_s == 0 {
            return reply;
        }
        let end = reply.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let (head, body) = reply.split_at(end.unwrap_or(reply.len()));
        let head = String::from_utf8_lossy(head);
        let lines = head.split("\r\n").map(|line| {
            if line.to_ascii_lowercase().starts_with("date:") {
                format!("Date: {}", now_header(self.ahead_s))
            } else {
                line.to_owned()
            }
        });
        let lines: Vec<String> = lines.collect();
        [lines.join("\r\n").into_bytes(), body.to_vec()].concat()
    }
}

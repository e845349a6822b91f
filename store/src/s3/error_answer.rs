//! What an S3 server's answer, or its absence, means: one pure table, and the texts around it.

use super::super::{StoreAnswer, StoreError};
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_types::date_time::Format;
use host::terminal::quoted;
use ledger::Moment;
use std::error::Error;

/// Deepest chain of causes that goes into a text.
const CAUSES_MAX: usize = 8;

/// What kind of no a status and code are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AnswerKind {
    Exists,
    Conflict,
    Denied,
    Missing,
    NoBucket,
    Refused,
    BadDigest,
    Skew,
    Busy,
    Broken,
}

/// The one table. Codes come first where servers disagree about the status.
fn classify(status: u16, code: &str) -> AnswerKind {
    match (status, code) {
        (200..=299, _) => AnswerKind::Broken,
        (_, "RequestTimeTooSkewed") => AnswerKind::Skew,
        (_, "NoSuchBucket") => AnswerKind::NoBucket,
        (
            400,
            "BadDigest"
            | "InvalidDigest"
            | "XAmzContentSHA256Mismatch"
            | "XAmzContentChecksumMismatch",
        ) => AnswerKind::BadDigest,
        // AWS says 400 to what is a matter of credentials or region, not of this object.
        (
            400,
            "ExpiredToken"
            | "InvalidToken"
            | "TokenRefreshRequired"
            | "AuthorizationHeaderMalformed"
            | "AuthorizationHeaderMalformedError"
            | "InvalidBucketName"
            | "InvalidRegion"
            | "IllegalLocationConstraintException",
        ) => AnswerKind::Denied,
        // The body did not arrive whole, or in time.
        (400, "RequestTimeout" | "IncompleteBody") => AnswerKind::Busy,
        (300..=399 | 401 | 403 | 501, _) => AnswerKind::Denied,
        // 405: the version is a delete marker.
        (404 | 405, _) => AnswerKind::Missing,
        (408 | 425 | 429 | 500..=599, _) => AnswerKind::Busy,
        (409, _) => AnswerKind::Conflict,
        (412, _) => AnswerKind::Exists,
        (400..=499, _) => AnswerKind::Refused,
        _ => AnswerKind::Broken,
    }
}

/// What to do about it, where that is known.
fn advice(kind: AnswerKind, status: u16, code: &str) -> &'static str {
    match (kind, code) {
        (AnswerKind::NoBucket, _) => {
            "; make it with: holdfast bucket create --store s3://BUCKET --retention 1d"
        }
        (AnswerKind::Denied, "InvalidAccessKeyId" | "SignatureDoesNotMatch") => {
            "; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile"
        }
        (AnswerKind::Denied, "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired") => {
            "; renew the session's credentials"
        }
        (AnswerKind::Denied, _) if status == 501 => "; this server can't do what Holdfast needs",
        (AnswerKind::Denied, _) if status <= 400 => {
            "; check the bucket's region (AWS_REGION) and endpoint (AWS_ENDPOINT_URL_S3)"
        }
        (AnswerKind::Denied, _) => "; check that these credentials have the right to do this",
        _ => "",
    }
}

/// Turns the SDK's failure into ours.
pub(super) fn explain<E>(asked: String, error: &SdkError<E>) -> StoreError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let Some(reply) = error.raw_response() else {
        return explain_silence(asked, error);
    };
    let status = reply.status().as_u16();
    let code = error.code().unwrap_or_default();
    let date = reply.headers().get("date").and_then(parse_date);
    let kind = match classify(status, code) {
        // Without the store's time there is nothing to sign with.
        AnswerKind::Skew if date.is_none() => AnswerKind::Denied,
        kind => kind,
    };
    let message = match error.message() {
        Some(message) => quoted(message.trim()),
        None if kind == AnswerKind::Broken => quoted(&causes(error)),
        None => String::new(),
    };
    let words = [status.to_string(), quoted(code.trim()), message];
    let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let answer = StoreAnswer {
        said: words.join(" "),
        advice: advice(kind, status, code),
        retry_after_s: reply.headers().get("retry-after").map_or(0, parse_seconds),
        ..StoreAnswer::new(asked, "")
    };
    match kind {
        AnswerKind::Exists => StoreError::Exists(answer),
        AnswerKind::Conflict => StoreError::Conflict(answer),
        AnswerKind::Denied => StoreError::Denied(answer),
        AnswerKind::Missing => StoreError::Missing(answer),
        AnswerKind::NoBucket => StoreError::NoBucket(answer),
        AnswerKind::Refused => StoreError::Refused(answer),
        AnswerKind::BadDigest => StoreError::BadDigest(answer),
        AnswerKind::Skew => StoreError::Skew {
            store_time: date.unwrap_or(Moment::LAST),
            answer,
        },
        AnswerKind::Busy => StoreError::Busy(answer),
        AnswerKind::Broken => StoreError::Broken(answer),
    }
}

/// No reply came: either nothing was sent for want of credentials, or the way is broken.
fn explain_silence<E>(asked: String, error: &SdkError<E>) -> StoreError
where
    E: Error + 'static,
{
    let of_credentials = chain(error).find(|cause| cause.is::<CredentialsError>());
    if let Some(cause) = of_credentials {
        let said = format!(
            "no usable credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or \
             give this machine a role ({})",
            quoted(&causes(cause))
        );
        return StoreError::Denied(StoreAnswer::new(asked, said));
    }
    if let Some(fault) = chain(error).find_map(certificate_fault) {
        return StoreError::Certificate(StoreAnswer {
            advice: "; if a CA of your own signed it, name that CA's PEM file in AWS_CA_BUNDLE or as the profile's \
                     ca_bundle; it must name the host of the endpoint and be in its time",
            ..StoreAnswer::new(
                asked,
                format!(
                    "the server's certificate is not trusted: {}",
                    quoted(&fault.to_string())
                ),
            )
        });
    }
    // The SDK's outermost text only says that there is an inner one.
    let said = quoted(&causes(error.source().unwrap_or(error)));
    match error {
        // The SDK would not even build the request: the same for ever.
        SdkError::ConstructionFailure(_) => StoreError::Refused(StoreAnswer::new(asked, said)),
        _ => StoreError::Busy(StoreAnswer::new(asked, said)),
    }
}

type Cause<'a> = &'a (dyn Error + 'static);

fn cause_of<'a>(error: &Cause<'a>) -> Option<Cause<'a>> {
    (*error).source()
}

fn chain<'a>(error: Cause<'a>) -> impl Iterator<Item = Cause<'a>> {
    std::iter::successors(Some(error), cause_of).take(CAUSES_MAX)
}

/// What TLS has against the server's certificate, if that is what `cause` is about. It hides within one or more
/// `io::Error`s, which do not tell it as their source.
fn certificate_fault<'a>(cause: Cause<'a>) -> Option<&'a rustls::Error> {
    let within = |cause: &Cause<'a>| -> Option<Cause<'a>> {
        let io = (*cause).downcast_ref::<std::io::Error>()?;
        io.get_ref().map(|inner| inner as Cause<'_>)
    };
    let innermost = std::iter::successors(Some(cause), within)
        .take(CAUSES_MAX)
        .last()?;
    let tls = innermost.downcast_ref::<rustls::Error>();
    tls.filter(|tls| {
        matches!(
            tls,
            rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented
        )
    })
}

/// All causes in one line, each once.
pub(super) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    for cause in chain(error) {
        let text = cause.to_string();
        if !texts.last().is_some_and(|last| last.contains(&text)) {
            texts.push(text);
        }
    }
    texts.join(": ")
}

/// A `Date` header.
pub(super) fn parse_date(header: &str) -> Option<Moment> {
    let date = aws_smithy_types::DateTime::from_str(header, Format::HttpDate).ok()?;
    moment(&date)
}

/// A `Retry-After` header that counts seconds. One that names a date is passed over: our own wait grows anyway.
fn parse_seconds(header: &str) -> u32 {
    header.trim().parse().unwrap_or(0)
}

/// A time of the SDK's; `None` before 1970.
pub(super) fn moment(date: &aws_smithy_types::DateTime) -> Option<Moment> {
    let seconds = u64::try_from(date.secs()).ok()?;
    let micros = u64::from(date.subsec_nanos() / 1000);
    Some(Moment::from_micros(micros).plus_s(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_its_meaning() {
        for (status, code, kind) in [
            (200, "", AnswerKind::Broken),
            (204, "AccessDenied", AnswerKind::Broken),
            (301, "PermanentRedirect", AnswerKind::Denied),
            (307, "TemporaryRedirect", AnswerKind::Denied),
            (400, "", AnswerKind::Refused),
            (400, "InvalidRequest", AnswerKind::Refused),
            (400, "BadDigest", AnswerKind::BadDigest),
            (400, "XAmzContentSHA256Mismatch", AnswerKind::BadDigest),
            (400, "XAmzContentChecksumMismatch", AnswerKind::BadDigest),
            (400, "ExpiredToken", AnswerKind::Denied),
            (400, "AuthorizationHeaderMalformed", AnswerKind::Denied),
            (400, "RequestTimeout", AnswerKind::Busy),
            (401, "", AnswerKind::Denied),
            (403, "AccessDenied", AnswerKind::Denied),
            (403, "RequestTimeTooSkewed", AnswerKind::Skew),
            (404, "", AnswerKind::Missing),
            (404, "NoSuchKey", AnswerKind::Missing),
            (404, "NoSuchVersion", AnswerKind::Missing),
            (404, "NoSuchBucket", AnswerKind::NoBucket),
            (405, "MethodNotAllowed", AnswerKind::Missing),
            (408, "", AnswerKind::Busy),
            (409, "ConditionalRequestConflict", AnswerKind::Conflict),
            (409, "OperationAborted", AnswerKind::Conflict),
            (411, "MissingContentLength", AnswerKind::Refused),
            (412, "PreconditionFailed", AnswerKind::Exists),
            (413, "EntityTooLarge", AnswerKind::Refused),
            (429, "", AnswerKind::Busy),
            (500, "InternalError", AnswerKind::Busy),
            (501, "NotImplemented", AnswerKind::Denied),
            (502, "", AnswerKind::Busy),
            (503, "SlowDown", AnswerKind::Busy),
            (599, "", AnswerKind::Busy),
            (100, "", AnswerKind::Broken),
            (999, "", AnswerKind::Broken),
        ] {
            assert_eq!(classify(status, code), kind, "{status} {code}");
        }
    }

    #[test]
    fn a_certificate_fault_is_found_however_deep_it_lies() {
        let fault = || rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let mut error = std::io::Error::other(fault());
        for _ in 0..3 {
            assert_eq!(certificate_fault(&error), Some(&fault()));
            error = std::io::Error::other(error);
        }
        let passing = std::io::Error::other(rustls::Error::HandshakeNotComplete);
        assert_eq!(certificate_fault(&passing), None);
        assert_eq!(
            certificate_fault(&std::io::Error::from_raw_os_error(5)),
            None
        );
    }

    #[test]
    fn dates_are_of_http() {
        let at = parse_date("Sun, 22 Nov 2026 10:20:30 GMT").unwrap();
        assert_eq!(at.to_string(), "2026-11-22T10:20:30.000000Z");
        for bad in ["", "2026-11-22", "Sun, 22 Nov 1869 10:20:30 GMT"] {
            assert_eq!(parse_date(bad), None, "{bad}");
        }
    }
}

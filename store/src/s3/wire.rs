//! What we change on the SDK's way to the wire and back: the payload's hash, the store's clock, and
//! a bound on what a reply may cost.

use super::error_answer::parse_date;
use aws_runtime::auth::PayloadSigningOverride;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use http_body_util::Limited;
use ledger::requests::CLOCK_KEPT_S;
use ledger::{Digest, Moment};
use std::sync::{Arc, Mutex, PoisonError};

/// Largest reply that is read whole: a page of 1000 versions with the longest keys, escaped, fits.
const REPLY_MAX_BYTES: usize = 16 * 1024 * 1024;

/// The store's clock, as its replies tell it.
#[derive(Debug, Default)]
pub(super) struct StoreClock {
    seen: Mutex<Option<ClockReading>>,
}

#[derive(Debug, Clone, Copy)]
struct ClockReading {
    date: Moment,
    /// On the clock that nobody sets and that counts suspend.
    boot_ms: u64,
}

impl StoreClock {
    /// The store's time now, if a reply told it within the last [`CLOCK_KEPT_S`].
    pub(super) fn read(&self, boot_ms: u64) -> Option<Moment> {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen?;
        let age_ms = boot_ms.checked_sub(seen.boot_ms)?;
        (age_ms <= CLOCK_KEPT_S * 1000)
            .then(|| Moment::from_micros(seen.date.micros().saturating_add(age_ms * 1000)))
    }

    fn set(&self, date: Moment, boot_ms: u64) {
        let seen = Some(ClockReading { date, boot_ms });
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }
}

/// Watches every reply: notes its date and bounds its size.
#[derive(Debug)]
pub(super) struct ReplyWatch {
    pub(super) clock: Arc<StoreClock>,
}

#[dyn_dispatch_hint]
impl Intercept for ReplyWatch {
    fn name(&self) -> &'static str {
        "ReplyWatch"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let reply = context.response_mut();
        if let Some(date) = reply.headers().get("date").and_then(parse_date) {
            self.clock.set(date, host::clock::boot_ms());
        }
        // An object's bytes are bounded by whoever reads them, one piece at a time.
        let operation = settings.load::<Metadata>().map(Metadata::name);
        if operation != Some("GetObject") || !reply.status().is_success() {
            let body = std::mem::replace(reply.body_mut(), SdkBody::taken());
            *reply.body_mut() = SdkBody::from_body_1_x(Limited::new(body, REPLY_MAX_BYTES));
        }
        Ok(())
    }
}

/// Signs a put with the hash the caller has, so that the SDK neither hashes the bytes once more nor
/// leaves them unsigned.
#[derive(Debug)]
pub(super) struct SignedHash(pub(super) Digest);

#[dyn_dispatch_hint]
impl Intercept for SignedHash {
    fn name(&self) -> &'static str {
        "SignedHash"
    }

    fn modify_before_signing(
        &self,
        _context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let hash = PayloadSigningOverride::Precomputed(self.0.to_string());
        settings.interceptor_state().store_put(hash);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_continues_from_the_last_reply_for_a_minute() {
        let clock = StoreClock::default();
        assert_eq!(clock.read(0), None);
        let date = Moment::from_micros(5_000_000);
        clock.set(date, 1_000);
        assert_eq!(clock.read(1_000), Some(date));
        assert_eq!(clock.read(3_500), Some(Moment::from_micros(7_500_000)));
        assert_eq!(clock.read(61_001), None);
        assert_eq!(clock.read(999), None);
    }
}

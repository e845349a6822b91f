//! Every way a store can say no, and what each means for the caller, who acts on the variant and
//! shows the text.

use ledger::Moment;
use std::fmt;

/// What was asked, and what came back; for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreAnswer {
    /// Operation and object, such as `put s3://bucket/key at http://127.0.0.1:9000`.
    pub asked: String,
    /// Status, code and message, or what went wrong on the way.
    pub said: String,
    /// What to do about it, where that is known: `; …`, else empty.
    pub advice: &'static str,
    /// For how many seconds the store asked not to be asked again; 0 if it did not. Hostile: bound it.
    pub retry_after_s: u32,
}

impl StoreAnswer {
    /// Without advice.
    #[must_use]
    pub fn new(asked: impl Into<String>, said: impl Into<String>) -> Self {
        Self {
            asked: asked.into(),
            said: said.into(),
            advice: "",
            retry_after_s: 0,
        }
    }
}

impl fmt::Display for StoreAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}{}", self.asked, self.said, self.advice)
    }
}

/// Why a call failed. Unless it says otherwise, nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// 412: the key has a current version (or, in a store without versions, other bytes).
    #[error("{0}")]
    Exists(StoreAnswer),
    /// 409: another write was under way. The same again may work at once.
    #[error("{0}")]
    Conflict(StoreAnswer),
    /// 401, 403, no or expired credentials, wrong region or address, or not an S3 that can do this:
    /// a matter of configuration or rights, the same for every object. It may be mended while we run.
    #[error("{0}")]
    Denied(StoreAnswer),
    /// The server's certificate is not trusted, has ended or is another host's: nothing was sent. A matter of
    /// configuration, the same for every object.
    #[error("{0}")]
    Certificate(StoreAnswer),
    /// 404: no such key, or no such version of it, or it is a delete marker.
    #[error("{0}")]
    Missing(StoreAnswer),
    /// 404: no such bucket or directory.
    #[error("{0}")]
    NoBucket(StoreAnswer),
    /// Any other 4xx: the store won't take this request, however often it is repeated.
    #[error("{0}")]
    Refused(StoreAnswer),
    /// The bytes that arrived don't have the digest that was announced: damaged on the way or
    /// before. The store kept nothing.
    #[error("{0}")]
    BadDigest(StoreAnswer),
    /// 403: our clock is too far from the store's. The next request is signed with the store's time.
    #[error("{answer}")]
    Skew {
        /// The store's clock.
        store_time: Moment,
        /// What it said.
        answer: StoreAnswer,
    },
    /// 429, 408, 5xx, time-out, reset, refused connection, full disk: later. **A put may have taken
    /// effect.**
    #[error("{0}")]
    Busy(StoreAnswer),
    /// The object is larger than the caller's bound; reading was given up.
    #[error("{answer}")]
    TooLarge {
        /// The caller's bound.
        max_bytes: u64,
        /// What was read.
        answer: StoreAnswer,
    },
    /// The answer makes no sense: a success without digest or version, a page that repeats itself,
    /// something that is not S3. **A put may have taken effect.**
    #[error("{0}")]
    Broken(StoreAnswer),
}

impl StoreError {
    /// Whether a put that ended so may have taken effect nevertheless, now or later.
    #[must_use]
    pub fn may_have_happened(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Broken(_))
    }

    /// What was asked, and what came back.
    #[must_use]
    pub fn answer(&self) -> &StoreAnswer {
        match self {
            Self::Exists(answer)
            | Self::Conflict(answer)
            | Self::Denied(answer)
            | Self::Certificate(answer)
            | Self::Missing(answer)
            | Self::NoBucket(answer)
            | Self::Refused(answer)
            | Self::BadDigest(answer)
            | Self::Skew { answer, .. }
            | Self::Busy(answer)
            | Self::TooLarge { answer, .. }
            | Self::Broken(answer) => answer,
        }
    }
}

/// Why a place can't keep evidence yet. Each names the command that makes one that can.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupFault {
    /// There is no such bucket or directory.
    #[error(
        "{url} does not exist; make it with: holdfast bucket create --store {url} --retention 1d"
    )]
    Absent {
        /// The store.
        url: String,
    },
    /// Old versions are not kept.
    #[error(
        "versioning of {url} is {status}, expected Enabled: an overwrite would destroy evidence; \
         turn it on with: holdfast bucket create --store {url} --retention 1d"
    )]
    NotVersioned {
        /// The store.
        url: String,
        /// What it says of itself.
        status: String,
    },
    /// Locks are impossible.
    #[error(
        "{url} has no Object Lock: nothing in it would be protected; many servers (MinIO, SeaweedFS) \
         enable it only when a bucket is made, so make a new one with: \
         holdfast bucket create --store s3://NEW-BUCKET/… --retention 1d"
    )]
    NoObjectLock {
        /// The store.
        url: String,
    },
    /// It couldn't be asked.
    #[error("can't tell whether {url} is set up to keep evidence: {cause}")]
    Unknown {
        /// The store.
        url: String,
        /// Why not.
        #[source]
        cause: StoreError,
    },
}

/// Why a store's URL or settings can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Neither of the two kinds.
    #[error("store `{0}`: expected s3://BUCKET[/PREFIX] or file:///ABSOLUTE/DIRECTORY")]
    Url(String),
    /// What is configured as S3's address can't be one.
    #[error(
        "AWS_ENDPOINT_URL_S3 or the profile's endpoint_url is `{0}`: expected http://HOST[:PORT] or https://HOST[:PORT]"
    )]
    Endpoint(String),
    /// What is configured as the CAs to trust can't be read as that.
    #[error(
        "AWS_CA_BUNDLE or the profile's ca_bundle is `{path}`: {why}; expected a file of certificates in PEM"
    )]
    CaBundle {
        /// As given.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The bucket's name can't be one.
    #[error(
        "store `{url}`: `{bucket}` is no bucket name: 3 to 63 of a-z 0-9 . -, a letter or digit at both ends"
    )]
    Bucket {
        /// As given.
        url: String,
        /// Its bucket part.
        bucket: String,
    },
    /// The prefix can't be one.
    #[error(
        "store `{0}`: a prefix is one or more parts of A-Z a-z 0-9 . _ - = with `/` between them, none of them `.` or `..`"
    )]
    Prefix(String),
}

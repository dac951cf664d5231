//! Guarded content that goes out although nobody verified it: by observe mode, by `unpinned = "allow"`, or by
//! `other_hosts.scripts = "observe"`. Nothing else may make an [`ObservedUnverified`].

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Response, header};
use pinfold_body::Coding;
use pinfold_policy::reason::Reason;
use pinfold_store::Receipt;

use crate::delivery::{Deliveries, Segment};
use crate::encoded::Encoded;
use crate::headers::drop_forged_etag;
use crate::incoming::Arriving;
use crate::release::{clamp_cache, verdict_header};
use crate::respond::{ClientBody, passing};

/// A body that was seen, recorded, and not verified.
pub(crate) struct ObservedUnverified {
    response: Response<ClientBody>,
}

impl ObservedUnverified {
    /// A body that was measured: the bytes that were measured are the ones that go out.
    pub(crate) fn measured(
        mut head: http::response::Parts,
        encoded: Encoded,
        reason: Reason,
        (receipt, deliveries): (Receipt, &Deliveries),
        max_age: Duration,
    ) -> Self {
        let coding = encoded.coding;
        head.headers.remove(header::CONTENT_ENCODING);
        if coding != Coding::Identity {
            head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.token()));
        }
        head.headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        // These are about the vendor's encoding of the body, not ours (RFC 9530, RFC 3230, RFC 1864).
        for name in ["content-digest", "repr-digest", "digest", "content-md5"] {
            head.headers.remove(name);
        }
        let whole = vec![Segment::Part(0..encoded.kept.len())];
        let delivery = deliveries.begin(encoded.kept, whole, Some(receipt));
        head.headers.insert(header::CONTENT_LENGTH, delivery.len().into());
        Self::of(head, delivery.boxed(), reason, max_age)
    }

    /// A body that could not be measured, or that belongs to another status than 200: as it came.
    pub(crate) fn as_it_came(
        head: http::response::Parts,
        body: Arriving,
        reason: Reason,
        receipt: Receipt,
        max_age: Duration,
    ) -> Self {
        Self::of(head, passing(body, receipt), reason, max_age)
    }

    fn of(mut head: http::response::Parts, body: ClientBody, reason: Reason, max_age: Duration) -> Self {
        let headers: &mut HeaderMap = &mut head.headers;
        headers.remove(header::ALT_SVC);
        drop_forged_etag(headers);
        clamp_cache(headers, max_age);
        headers.insert("pinfold-verdict", verdict_header(&format!("observed; reason={}", reason.code())));
        let mut response = Response::new(body);
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        Self { response }
    }

    pub(crate) fn into_response(self) -> Response<ClientBody> {
        self.response
    }
}

//! Values as they stand in columns: times as microseconds, ids and digests as blobs, the rest as text.

use std::error::Error;
use std::str::FromStr;

use jiff::Timestamp;
use pinfold_policy::decisions::Basis;
use pinfold_policy::digest::{Algorithm, BodyId, Digest};
use pinfold_policy::kind::Kinds;
use pinfold_policy::verdict::Outcome;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use crate::entry::{ClientTls, DeliveryPath, What};
use crate::shelf::Fields;
use crate::sqlite::uint;

/// A row that is read column by column. What cannot be read is an error that names the column.
pub(crate) struct Columns<'r>(pub(crate) &'r SqliteRow);

impl Columns<'_> {
    pub(crate) fn number(&self, column: &str) -> Result<u64, sqlx::Error> {
        Ok(uint(self.0.try_get(column)?))
    }

    pub(crate) fn number_or_none(&self, column: &str) -> Result<Option<u64>, sqlx::Error> {
        Ok(self.0.try_get::<Option<i64>, _>(column)?.map(uint))
    }

    pub(crate) fn small<N: TryFrom<u64>>(&self, column: &str) -> Result<N, sqlx::Error> {
        N::try_from(self.number(column)?).map_err(|_| unreadable(column, "number out of range"))
    }

    pub(crate) fn text(&self, column: &str) -> Result<Box<str>, sqlx::Error> {
        Ok(self.0.try_get::<String, _>(column)?.into())
    }

    pub(crate) fn text_or_none(&self, column: &str) -> Result<Option<Box<str>>, sqlx::Error> {
        Ok(self.0.try_get::<Option<String>, _>(column)?.map(Into::into))
    }

    pub(crate) fn parsed<T: FromStr>(&self, column: &str) -> Result<T, sqlx::Error> {
        self.parsed_or_none(column)?.ok_or_else(|| unreadable(column, "nothing there"))
    }

    pub(crate) fn parsed_or_none<T: FromStr>(&self, column: &str) -> Result<Option<T>, sqlx::Error> {
        let text = self.text_or_none(column)?;
        text.map(|text| text.parse().map_err(|_| unreadable(column, &*text))).transpose()
    }

    pub(crate) fn time(&self, column: &str) -> Result<Timestamp, sqlx::Error> {
        Timestamp::from_microsecond(self.0.try_get(column)?)
            .map_err(|_| unreadable(column, "time out of range"))
    }

    pub(crate) fn time_or_none(&self, column: &str) -> Result<Option<Timestamp>, sqlx::Error> {
        let time: Option<i64> = self.0.try_get(column)?;
        let read =
            |time| Timestamp::from_microsecond(time).map_err(|_| unreadable(column, "time out of range"));
        time.map(read).transpose()
    }

    pub(crate) fn uuid(&self, column: &str) -> Result<Uuid, sqlx::Error> {
        self.uuid_or_none(column)?.ok_or_else(|| unreadable(column, "nothing there"))
    }

    pub(crate) fn uuid_or_none(&self, column: &str) -> Result<Option<Uuid>, sqlx::Error> {
        let bytes: Option<Vec<u8>> = self.0.try_get(column)?;
        bytes
            .map(|bytes| Uuid::from_slice(&bytes).map_err(|_| unreadable(column, "not 16 bytes")))
            .transpose()
    }

    pub(crate) fn body(&self, column: &str) -> Result<BodyId, sqlx::Error> {
        self.body_or_none(column)?.ok_or_else(|| unreadable(column, "nothing there"))
    }

    /// A digest in any notation: its length says which.
    pub(crate) fn digest(&self, column: &str) -> Result<Digest, sqlx::Error> {
        let bytes: &[u8] = self.0.try_get(column)?;
        let known = [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512];
        let read = known.into_iter().find_map(|algorithm| Digest::from_bytes(algorithm, bytes).ok());
        read.ok_or_else(|| unreadable(column, "not 32, 48 or 64 bytes"))
    }

    pub(crate) fn body_or_none(&self, column: &str) -> Result<Option<BodyId>, sqlx::Error> {
        let bytes: Option<Vec<u8>> = self.0.try_get(column)?;
        let id =
            |bytes: Vec<u8>| bytes.try_into().map(BodyId).map_err(|_| unreadable(column, "not 32 bytes"));
        bytes.map(id).transpose()
    }

    pub(crate) fn outcome(&self, column: &str) -> Result<Outcome, sqlx::Error> {
        read_outcome(column, &self.text(column)?)
    }

    pub(crate) fn basis(&self, column: &str) -> Result<Basis, sqlx::Error> {
        let text = self.text(column)?;
        let known = Basis::ALL.into_iter().find(|basis| basis.as_str() == &*text);
        known.ok_or_else(|| unreadable(column, &*text))
    }

    pub(crate) fn what(&self, column: &str) -> Result<What, sqlx::Error> {
        let text = self.text(column)?;
        let known = What::ALL.into_iter().find(|what| what.as_str() == &*text);
        known.ok_or_else(|| unreadable(column, &*text))
    }

    pub(crate) fn kinds(&self, column: &str) -> Result<Kinds, sqlx::Error> {
        read_kinds(column, &self.text(column)?)
    }

    pub(crate) fn path(&self, column: &str) -> Result<Option<DeliveryPath>, sqlx::Error> {
        self.text_or_none(column)?.map(|text| read_path(column, &text)).transpose()
    }

    pub(crate) fn fields(&self, column: &str) -> Result<Fields, sqlx::Error> {
        serde_json::from_str(&self.text(column)?).map_err(|error| unreadable(column, error))
    }

    pub(crate) fn client_tls(&self, column: &str) -> Result<Option<ClientTls>, sqlx::Error> {
        let Some(text) = self.text_or_none(column)? else { return Ok(None) };
        let (version, cipher, server_name): (Box<str>, Box<str>, Part) =
            serde_json::from_str(&text).map_err(|error| unreadable(column, error))?;
        let server_name = server_name.map(Into::into);
        Ok(Some(ClientTls { version: version.into(), cipher: cipher.into(), server_name }))
    }
}

pub(crate) fn read_outcome(column: &str, text: &str) -> Result<Outcome, sqlx::Error> {
    let known = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == text);
    known.ok_or_else(|| unreadable(column, text))
}

pub(crate) fn read_kinds(column: &str, text: &str) -> Result<Kinds, sqlx::Error> {
    let words = text.split(',').filter(|word| !word.is_empty());
    words.map(|word| word.parse().map_err(|_| unreadable(column, text))).collect()
}

/// Reads what [`path_text`] wrote.
pub(crate) fn read_path(column: &str, text: &str) -> Result<DeliveryPath, sqlx::Error> {
    let parts: PathParts = serde_json::from_str(text).map_err(|error| unreadable(column, error))?;
    let (address, tls_version, cipher, issuer, fingerprint, http_version) = parts;
    Ok(DeliveryPath {
        address,
        tls_version: tls_version.map(Into::into),
        cipher: cipher.map(Into::into),
        issuer: issuer.map(Into::into),
        fingerprint: fingerprint.map(Into::into),
        http_version: http_version.into(),
    })
}

type Part = Option<Box<str>>;
type PathParts = (std::net::SocketAddr, Part, Part, Part, Part, Box<str>);

/// A delivery path as a JSON array: few differ, so each is stored once, as text.
pub(crate) fn path_text(path: &DeliveryPath) -> String {
    let DeliveryPath { address, tls_version, cipher, issuer, fingerprint, http_version } = path;
    let [tls_version, cipher, issuer, fingerprint] =
        [tls_version, cipher, issuer, fingerprint].map(Option::as_deref);
    serde_json::json!([address, tls_version, cipher, issuer, fingerprint, &**http_version]).to_string()
}

/// Header fields as a JSON array of pairs.
pub(crate) fn fields_text(fields: &Fields) -> String {
    serde_json::json!(fields).to_string()
}

/// The client's side of the connection as a JSON array.
pub(crate) fn client_tls_text(tls: &ClientTls) -> String {
    let ClientTls { version, cipher, server_name } = tls;
    serde_json::json!([&**version, &**cipher, server_name.as_deref()]).to_string()
}

/// Lower-case hex, as `unhex` in SQL reads it.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// A column holds something that this program does not write there.
pub(crate) fn unreadable(column: &str, why: impl Into<Box<dyn Error + Send + Sync>>) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: why.into() }
}

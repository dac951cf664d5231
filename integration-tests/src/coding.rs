//! Content codings, done by the test itself so that it needs to trust neither side's.

use std::io::{Read as _, Write as _};

use flate2::Compression;

/// A content coding as `Content-Encoding` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// None at all.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 1950: deflate in its zlib wrapping, as HTTP means it.
    Deflate,
    /// RFC 7932.
    Br,
    /// RFC 8878.
    Zstd,
}

impl Coding {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Identity, Self::Gzip, Self::Deflate, Self::Br, Self::Zstd];

    /// Its token in header fields.
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Br => "br",
            Self::Zstd => "zstd",
        }
    }

    /// The coding that a `Content-Encoding` field names, where there is one.
    #[must_use]
    pub fn named(token: Option<&str>) -> Self {
        let token = token.unwrap_or("identity");
        *Self::ALL
            .iter()
            .find(|coding| coding.token() == token)
            .unwrap_or_else(|| panic!("a content coding that nobody asked for: {token}"))
    }

    /// Some bytes in this coding.
    #[must_use]
    pub fn encode(self, plain: &[u8]) -> Vec<u8> {
        match self {
            Self::Identity => plain.to_vec(),
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            Self::Deflate => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            Self::Br => {
                let mut coded = Vec::new();
                let quick = brotli::enc::BrotliEncoderParams { quality: 4, ..Default::default() };
                brotli::BrotliCompress(&mut &*plain, &mut coded, &quick).unwrap();
                coded
            }
            Self::Zstd => zstd::encode_all(plain, 1).unwrap(),
        }
    }

    /// What some bytes in this coding stand for.
    #[must_use]
    pub fn decode(self, coded: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        match self {
            Self::Identity => plain.extend_from_slice(coded),
            Self::Gzip => {
                flate2::read::GzDecoder::new(coded).read_to_end(&mut plain).unwrap();
            }
            Self::Deflate => {
                flate2::read::ZlibDecoder::new(coded).read_to_end(&mut plain).unwrap();
            }
            Self::Br => brotli::BrotliDecompress(&mut &*coded, &mut plain).unwrap(),
            Self::Zstd => plain = zstd::decode_all(coded).unwrap(),
        }
        plain
    }
}

//! Authenticode: who a signature names, whether that key made it, and whether of these bytes.
//!
//! Read with `cms`, and not with a crate for Authenticode: the one there is panics where a certificate is missing. Three things
//! must hold before a signer's name means anything: the digest in it is the file's, what is signed holds that digest, and the
//! certificate's key signed it. A certificate is public, and anybody can put it into a file. Whether a certificate is to be
//! trusted, was revoked or is over is not judged.

use cms::cert::CertificateChoices;
use cms::cert::x509::Certificate;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerIdentifier, SignerInfo};
use der::asn1::{ObjectIdentifier, OctetString};
use der::{Any, Decode, Encode, Header, SliceReader};
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};
use webpki::{EndEntityCert, Error, aws_lc_rs as keys};

use crate::contents::{Signature, SignerChange, Signing};
use crate::findings::{SHOWN, bounded};
use crate::octets::hex;

/// Larger ones are none: the sets in it are sorted, which takes the square of their length.
const LARGEST: usize = 128 << 10;
/// Signatures inside of a signature.
const NESTED: usize = 4;

const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");
const COUNTERSIGNATURE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.6");
/// A countersignature as in RFC 3161.
const TIMESTAMP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.3.3.1");
const NESTED_SIGNATURE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.2.4.1");

/// By what a digest was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Algorithm {
    fn of(oid: ObjectIdentifier) -> Option<Self> {
        let known = [
            ("1.3.14.3.2.26", Self::Sha1),
            ("2.16.840.1.101.3.4.2.1", Self::Sha256),
            ("2.16.840.1.101.3.4.2.2", Self::Sha384),
            ("2.16.840.1.101.3.4.2.3", Self::Sha512),
        ];
        known
            .iter()
            .find(|(name, _)| oid == ObjectIdentifier::new_unwrap(name))
            .map(|(_, algorithm)| *algorithm)
    }

    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(bytes).to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    /// What signs such digests. SHA-1 is signed by nobody who may be believed.
    fn keys(self) -> &'static [&'static dyn SignatureVerificationAlgorithm] {
        match self {
            Self::Sha1 => &[],
            Self::Sha256 => {
                static KEYS: [&dyn SignatureVerificationAlgorithm; 3] =
                    [keys::RSA_PKCS1_2048_8192_SHA256, keys::ECDSA_P256_SHA256, keys::ECDSA_P384_SHA256];
                &KEYS
            }
            Self::Sha384 => {
                static KEYS: [&dyn SignatureVerificationAlgorithm; 3] =
                    [keys::RSA_PKCS1_2048_8192_SHA384, keys::ECDSA_P256_SHA384, keys::ECDSA_P384_SHA384];
                &KEYS
            }
            Self::Sha512 => {
                static KEYS: [&dyn SignatureVerificationAlgorithm; 1] = [keys::RSA_PKCS1_2048_8192_SHA512];
                &KEYS
            }
        }
    }
}

/// How the signers of both versions compare: by their certificates.
pub(super) fn compared(reviewed: Option<Vec<Signature>>, new: Vec<Signature>) -> Signing {
    let signers = |signatures: &[Signature]| {
        let mut signers: Vec<_> = signatures.iter().map(|signature| signature.thumbprint.clone()).collect();
        signers.sort();
        signers.dedup();
        signers
    };
    let change = match &reviewed {
        None if new.is_empty() => SignerChange::Unsigned,
        None => SignerChange::Signed,
        Some(old) => match (old.is_empty(), new.is_empty()) {
            (true, true) => SignerChange::Unsigned,
            (true, false) => SignerChange::Appeared,
            (false, true) => SignerChange::Gone,
            (false, false) if signers(old) == signers(&new) => {
                let is_known = new.iter().all(|signature| !signature.unreadable);
                if is_known { SignerChange::SameSigner } else { SignerChange::Unknown }
            }
            (false, false) => SignerChange::OtherSigner,
        },
    };
    Signing { change, reviewed: reviewed.unwrap_or_default(), new }
}

/// A signature and those inside of it.
pub(super) fn read_all(bytes: &[u8], digest: impl Fn(Algorithm) -> Option<Vec<u8>> + Copy) -> Vec<Signature> {
    let mut found = vec![read(bytes, digest)];
    let attributes = signed_data(bytes).and_then(|data| data.signer_infos.0.get(0)?.unsigned_attrs.clone());
    let nested = attributes.iter().flat_map(|attributes| attributes.iter());
    let nested = nested
        .filter(|attribute| attribute.oid == NESTED_SIGNATURE)
        .flat_map(|attribute| attribute.values.iter());
    let nested = nested.filter_map(|value| value.to_der().ok());
    found.extend(nested.take(NESTED).map(|nested| read(&nested, digest)));
    found
}

/// One signature. `digest` makes the digest of the file that it is of.
pub(super) fn read(bytes: &[u8], digest: impl Fn(Algorithm) -> Option<Vec<u8>>) -> Signature {
    signed_data(bytes).and_then(|data| signature(&data, digest)).unwrap_or_else(|| Signature {
        unreadable: true,
        signer: "".into(),
        issuer: "".into(),
        serial: "".into(),
        thumbprint: "".into(),
        countersigned: None,
        of_these_bytes: None,
        by_that_key: None,
    })
}

/// Bytes of a signature: what stands behind it is no part of it. None where it is no such thing.
pub(super) fn len(bytes: &[u8]) -> usize {
    let header = SliceReader::new(bytes).and_then(|mut reader| Header::decode(&mut reader));
    let len = header.and_then(|header| usize::try_from((header.encoded_len()? + header.length)?));
    len.map_or(0, |len| len.min(bytes.len()))
}

fn signed_data(bytes: &[u8]) -> Option<SignedData> {
    // Padding may follow.
    let mut reader = SliceReader::new(bytes.get(..LARGEST).unwrap_or(bytes)).ok()?;
    ContentInfo::decode(&mut reader).ok()?.content.decode_as().ok()
}

fn signature(data: &SignedData, digest: impl Fn(Algorithm) -> Option<Vec<u8>>) -> Option<Signature> {
    // More than one signer is none of Authenticode.
    let [signer] = data.signer_infos.0.as_slice() else { return None };
    let certificate = certificate_of(data, signer)?;
    let der = certificate.to_der().ok()?;
    let content = data.encap_content_info.econtent.as_ref()?.value();
    let (algorithm, said) = digest_in(content)?;
    let fields = &certificate.tbs_certificate;
    Some(Signature {
        unreadable: false,
        signer: bounded(&fields.subject.to_string(), SHOWN),
        issuer: bounded(&fields.issuer.to_string(), SHOWN),
        serial: hex(fields.serial_number.as_bytes()),
        thumbprint: hex(&Sha256::digest(&der)),
        countersigned: countersigned(signer),
        of_these_bytes: algorithm.and_then(digest).map(|digest| digest == said),
        by_that_key: by_key(signer, content, &der),
    })
}

fn certificate_of<'a>(data: &'a SignedData, signer: &SignerInfo) -> Option<&'a Certificate> {
    let SignerIdentifier::IssuerAndSerialNumber(sid) = &signer.sid else { return None };
    data.certificates.as_ref()?.0.iter().find_map(|choice| match choice {
        CertificateChoices::Certificate(certificate) => {
            let fields = &certificate.tbs_certificate;
            (fields.issuer == sid.issuer && fields.serial_number == sid.serial_number).then_some(certificate)
        }
        CertificateChoices::Other(_) => None,
    })
}

/// The digest in an `SpcIndirectDataContent`, and by what it was made, if that is known.
fn digest_in(content: &[u8]) -> Option<(Option<Algorithm>, Vec<u8>)> {
    let mut reader = SliceReader::new(content).ok()?;
    Any::decode(&mut reader).ok()?;
    let info = Any::decode(&mut reader).ok()?;
    let mut reader = SliceReader::new(info.value()).ok()?;
    let algorithm = Any::decode(&mut reader).ok()?;
    let said = OctetString::decode(&mut reader).ok()?;
    let oid = ObjectIdentifier::decode(&mut SliceReader::new(algorithm.value()).ok()?).ok()?;
    Some((Algorithm::of(oid), said.into_bytes()))
}

/// Whether the key of a certificate signed some content (RFC 5652 §5.4). `None` for keys and digests that are not known here.
fn by_key(signer: &SignerInfo, content: &[u8], certificate: &[u8]) -> Option<bool> {
    let algorithm = Algorithm::of(signer.digest_alg.oid)?;
    let attributes = signer.signed_attrs.as_ref()?;
    let mut of_content = attributes.iter().filter(|attribute| attribute.oid == MESSAGE_DIGEST);
    let said = of_content.next().and_then(|attribute| attribute.values.get(0)).map(Any::value);
    if said != Some(algorithm.digest(content).as_slice()) {
        return Some(false);
    }
    let message = attributes.to_der().ok()?;
    let der = CertificateDer::from(certificate);
    let certificate = EndEntityCert::try_from(&der).ok()?;
    let signature = signer.signature.as_bytes();
    let tried = algorithm.keys().iter().map(|key| certificate.verify_signature(*key, &message, signature));
    // Of several kinds of key, one is the certificate's.
    tried.fold(None, |known, tried| match tried {
        Ok(()) => Some(true),
        Err(Error::InvalidSignatureForPublicKey) => known.or(Some(false)),
        Err(_) => known,
    })
}

/// When a countersignature says that it was made.
fn countersigned(signer: &SignerInfo) -> Option<Box<str>> {
    let attributes = signer.unsigned_attrs.as_ref()?;
    attributes.iter().find_map(|attribute| {
        let value = attribute.values.get(0)?;
        if attribute.oid == TIMESTAMP {
            let data: SignedData = value.decode_as::<ContentInfo>().ok()?.content.decode_as().ok()?;
            let info = data.encap_content_info.econtent?;
            return time_of_info(info.value());
        }
        if attribute.oid != COUNTERSIGNATURE {
            return None;
        }
        let counter: SignerInfo = value.decode_as().ok()?;
        let attributes = counter.signed_attrs?;
        let time = attributes.iter().find(|attribute| attribute.oid == SIGNING_TIME)?;
        time_text(time.values.get(0)?.value())
    })
}

/// `genTime` of a `TSTInfo` (RFC 3161 §2.4.2): the fifth field.
fn time_of_info(info: &[u8]) -> Option<Box<str>> {
    let info = Any::from_der(info).ok()?;
    let mut reader = SliceReader::new(info.value()).ok()?;
    let mut field = None;
    for _ in 0..5 {
        field = Any::decode(&mut reader).ok();
    }
    time_text(field?.value())
}

/// A time of ASN.1, in either of its notations, as in RFC 3339.
fn time_text(time: &[u8]) -> Option<Box<str>> {
    let time = std::str::from_utf8(time).ok()?;
    let digits: String = time.chars().take_while(char::is_ascii_digit).collect();
    let full = match digits.len() {
        // Two digits of the year: below 50 it is of this century (RFC 5280 §4.1.2.5.1).
        12 => format!("{}{digits}", if digits.as_str() < "50" { "20" } else { "19" }),
        14 => digits,
        _ => return None,
    };
    let part = |from: usize, to: usize| full.get(from..to);
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?
    );
    Some(text.into())
}

//! Which type an image gets that came under a missing or a wrong one.
//!
//! With `nosniff` a browser trusts the type where it would have looked at the bytes: Chromium then withholds from
//! another site's page what is typed as text, HTML, JSON or XML ([Fetch], "opaque response blocking"; measured with
//! Chromium 156), and an image so typed no longer renders. It gets the type of its first bytes instead. That makes
//! nothing run: no client runs an image type, whatever else the same bytes could be read as.
//!
//! [Fetch]: https://fetch.spec.whatwg.org/#orb

use crate::kind::essence;

/// One image format: how it begins, and what else stands at a later place.
struct Image {
    media_type: &'static str,
    start: &'static [u8],
    later: (usize, &'static [u8]),
    /// Whether text could begin so by chance.
    is_weak: bool,
}

const fn image(media_type: &'static str, start: &'static [u8], later: (usize, &'static [u8])) -> Image {
    Image { media_type, start, later, is_weak: false }
}

const fn weak(media_type: &'static str, start: &'static [u8]) -> Image {
    Image { media_type, start, later: (0, b""), is_weak: true }
}

/// The table of [MIME Sniffing §6.1](https://mimesniff.spec.whatwg.org/#matching-an-image-type-pattern), and AVIF, which
/// browsers render since.
const IMAGES: [Image; 10] = [
    weak("image/x-icon", b"\0\0\x01\0"),
    weak("image/x-icon", b"\0\0\x02\0"),
    weak("image/bmp", b"BM"),
    image("image/gif", b"GIF87a", (0, b"")),
    image("image/gif", b"GIF89a", (0, b"")),
    image("image/webp", b"RIFF", (8, b"WEBPVP")),
    image("image/png", b"\x89PNG\r\n\x1a\n", (0, b"")),
    image("image/jpeg", b"\xff\xd8\xff", (0, b"")),
    image("image/avif", b"\0\0\0", (4, b"ftypavif")),
    image("image/avif", b"\0\0\0", (4, b"ftypavis")),
];

impl Image {
    fn len(&self) -> usize {
        self.start.len().max(self.later.0 + self.later.1.len())
    }

    /// Whether bytes begin like this, as far as they go.
    fn fits(&self, bytes: &[u8]) -> bool {
        let agree = |pattern: &[u8], bytes: &[u8]| pattern.iter().zip(bytes).all(|(one, other)| one == other);
        agree(self.start, bytes) && agree(self.later.1, bytes.get(self.later.0..).unwrap_or_default())
    }
}

/// The type to send an image with, where its own would keep it from being rendered under `nosniff`: that of its first
/// bytes `start`. `content_types` are the vendor's `Content-Type` values.
#[must_use]
pub fn image_type(content_types: &[&str], start: &[u8]) -> Option<&'static str> {
    let image = IMAGES.iter().find(|image| image.len() <= start.len() && image.fits(start))?;
    match Told::of(content_types) {
        Told::Nothing => Some(image.media_type),
        Told::Withheld if !image.is_weak => Some(image.media_type),
        Told::Withheld | Told::Other => None,
    }
}

/// Whether [`image_type`] leaves these `Content-Type` values as they are, whatever bytes follow.
#[must_use]
pub fn suits_any_image(content_types: &[&str]) -> bool {
    match Told::of(content_types) {
        Told::Nothing | Told::Withheld => false,
        Told::Other => true,
    }
}

/// Whether more bytes could still make an image of `start`.
pub(crate) fn could_become_image(start: &[u8]) -> bool {
    IMAGES.iter().any(|image| start.len() < image.len() && image.fits(start))
}

/// What a type says, as far as images are concerned.
enum Told {
    /// None, or what the standard treats as none (MIME Sniffing §7).
    Nothing,
    /// What a browser withholds from other sites once `nosniff` is there.
    Withheld,
    Other,
}

impl Told {
    fn of(content_types: &[&str]) -> Self {
        let mut essences = content_types.iter().flat_map(|one| one.split(',')).map(essence);
        if essences.clone().any(|one| is_withheld(&one)) {
            Self::Withheld
        } else if essences.all(|one| says_nothing(&one)) {
            Self::Nothing
        } else {
            Self::Other
        }
    }
}

/// Whether a media type's [`essence`] leaves open what the body is (MIME Sniffing §7, step 1).
#[must_use]
pub fn says_nothing(essence: &str) -> bool {
    !essence.contains('/') || ["unknown/unknown", "application/unknown", "*/*"].contains(&essence)
}

fn is_withheld(essence: &str) -> bool {
    const TEXT: [&str; 6] =
        ["text/plain", "text/html", "application/json", "text/json", "text/xml", "application/xml"];
    let is_svg = essence == "image/svg+xml";
    TEXT.contains(&essence) || essence.ends_with("+json") || (essence.ends_with("+xml") && !is_svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    #[test]
    fn an_image_without_a_type_gets_that_of_its_magic() {
        for (start, expected) in [
            (PNG, Some("image/png")),
            (b"GIF89a\x01\0", Some("image/gif")),
            (b"\xff\xd8\xff\xe0", Some("image/jpeg")),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Some("image/webp")),
            (b"RIFF\x10\0\0\0WAVEfmt ", None),
            (b"\0\0\0\x1cftypavif", Some("image/avif")),
            (b"\0\0\x01\0\x01\0", Some("image/x-icon")),
            (b"BM6\0", Some("image/bmp")),
            (b"<!doctype html>", None),
            (b"", None),
        ] {
            for nothing in [&[][..], &[""], &["unknown/unknown"], &["*/*"], &["image"]] {
                assert_eq!(image_type(nothing, start), expected, "{nothing:?} {start:?}");
            }
        }
    }

    #[test]
    fn an_image_that_nosniff_would_keep_from_a_page_gets_the_type_of_its_magic() {
        for told in
            ["text/plain", "text/html; charset=utf-8", "application/json", "TEXT/XML", "a/b+json", "x/y+xml"]
        {
            assert_eq!(image_type(&[told], PNG), Some("image/png"), "{told}");
            assert_eq!(image_type(&[told], b"BM is a text"), None, "{told}");
        }
        assert_eq!(image_type(&["image/png, text/html"], PNG), Some("image/png"));
        assert_eq!(image_type(&["image/png", "text/html"], PNG), Some("image/png"));
    }

    #[test]
    fn a_type_that_does_no_harm_stays() {
        for told in
            ["image/png", "image/jpeg", "image/svg+xml", "application/octet-stream", "application/zip"]
        {
            assert_eq!(image_type(&[told], PNG), None, "{told}");
        }
    }

    #[test]
    fn nobody_waits_for_bytes_that_make_no_image() {
        for start in [&b""[..], b"\x89PN", b"RIFF\x10\0\0\0WEB", b"RIFF....", b"\0\0", b"GIF8"] {
            assert!(could_become_image(start), "{start:?}");
        }
        for start in [PNG, b"RIFF\x10\0\0\0WAVE", b":\n\n", b"data: ", b"{\"", b"GIF88", b"\xff\xd8\xff"] {
            assert!(!could_become_image(start), "{start:?}");
        }
    }
}

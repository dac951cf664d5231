//! A script, read: its text as a reviewer sees it, and the tree of that text.
//!
//! What is analysed is the formatted text and not the bytes, so that every line that is named can be seen in the diff.

use std::borrow::Cow;

use oxc_allocator::Allocator;
use oxc_codegen::{Codegen, CodegenOptions, CommentOptions};
use oxc_parser::{ParseOptions, Parser, ParserReturn};
use oxc_semantic::{Semantic, SemanticBuilder};
use oxc_span::SourceType;

use crate::findings::NotAnalysed;
use crate::limits::Limits;
use crate::nesting::nesting;

/// Bytes as text, without a byte order mark, as browsers read a script.
pub(crate) fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    bytes.strip_prefix(b"\xef\xbb\xbf").map_or_else(|| as_text(bytes), of_octets)
}

/// Bytes as text, with the mark of UTF-8 where one begins them. Browsers take UTF-16 by its mark, which is left out. What is
/// neither stands for itself as in Latin-1, so that two scripts in another encoding are not the same for what cannot be decoded.
#[must_use]
pub fn as_text(bytes: &[u8]) -> Cow<'_, str> {
    let utf_16 = |read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.as_chunks().0.iter().skip(1).map(|unit| read(*unit)).collect();
        String::from_utf16_lossy(&units).into()
    };
    match bytes {
        [0xff, 0xfe, ..] => utf_16(u16::from_le_bytes),
        [0xfe, 0xff, ..] => utf_16(u16::from_be_bytes),
        _ => of_octets(bytes),
    }
}

fn of_octets(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.into();
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().copied().map(char::from));
    }
    text.into()
}

/// The text in one format: without comments, one statement to a line, strings as they are at run time.
pub(crate) fn formatted(text: &str, limits: &Limits) -> Result<(String, SourceType), NotAnalysed> {
    let nesting = nesting(text);
    if nesting.depth > limits.depth {
        return Err(NotAnalysed::TooDeep { limit: limits.depth });
    }
    let as_script = in_format(text, SourceType::script());
    // A comment like those of HTML is one in scripts, and code in modules: who reads the one does not see the other.
    // `await / a / b` is a quotient in the one, and waits for a pattern in the other.
    if (nesting.html_comment || is_await_before_slash(text))
        && let (Ok(script), Ok(module)) = (&as_script, in_format(text, SourceType::mjs()))
        && *script != module
    {
        return Err(NotAnalysed::TwoReadings);
    }
    match as_script {
        Ok(code) => Ok((code, SourceType::script())),
        // Most scripts are scripts; what is none may be a module.
        Err(said) => match in_format(text, SourceType::mjs()) {
            Ok(code) => Ok((code, SourceType::mjs())),
            Err(_) => Err(NotAnalysed::NoScript { said }),
        },
    }
}

fn is_await_before_slash(text: &str) -> bool {
    text.split("await").skip(1).any(|behind| behind.trim_start().starts_with('/'))
}

/// The text in one format, or what the parser says.
fn in_format(text: &str, source_type: SourceType) -> Result<String, Box<str>> {
    let allocator = Allocator::default();
    let parsed = parsed(&allocator, text, source_type);
    if parsed.panicked || parsed.diagnostics.has_errors() {
        let said = parsed.diagnostics.iter().next().map(|diagnostic| diagnostic.message.to_string());
        return Err(said.unwrap_or_default().into());
    }
    let options = CodegenOptions { comments: CommentOptions::disabled(), ..CodegenOptions::default() };
    Ok(Codegen::new().with_options(options).build(&parsed.program).code)
}

/// Reads a formatted text and gives its meaning to `look`.
pub(crate) fn with_tree<T>(
    text: &str,
    source_type: SourceType,
    look: impl FnOnce(&Semantic<'_>) -> T,
) -> Result<T, NotAnalysed> {
    let allocator = Allocator::default();
    let parsed = parsed(&allocator, text, source_type);
    if parsed.panicked {
        return Err(NotAnalysed::NoScript { said: "it cannot be read once it is formatted".into() });
    }
    let program = allocator.alloc(parsed.program);
    let built = SemanticBuilder::new().with_build_nodes(true).build(program);
    Ok(look(&built.semantic))
}

fn parsed<'a>(allocator: &'a Allocator, text: &'a str, source_type: SourceType) -> ParserReturn<'a> {
    let options = ParseOptions {
        preserve_parens: false,
        allow_return_outside_function: true,
        ..ParseOptions::default()
    };
    Parser::new(allocator, text, source_type).with_options(options).parse()
}

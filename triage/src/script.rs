//! A script, read: its text as a reviewer sees it, and the tree of that text.
//!
//! What is analysed is the formatted text and not the bytes, so that every line that is named can be seen in the diff.

use oxc_allocator::Allocator;
use oxc_codegen::{Codegen, CodegenOptions, CommentOptions};
use oxc_parser::{ParseOptions, Parser, ParserReturn};
use oxc_semantic::{Semantic, SemanticBuilder};
use oxc_span::SourceType;

use crate::findings::NotAnalysed;
use crate::limits::Limits;
use crate::nesting::nesting;

/// Bytes as text: whatever is not UTF-8 is replaced, a byte order mark is none of the script.
pub(crate) fn text_of(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned()
}

/// The text in one format: without comments, one statement to a line, strings as they are at run time.
pub(crate) fn formatted(text: &str, limits: &Limits) -> Result<(String, SourceType), NotAnalysed> {
    let nesting = nesting(text);
    if nesting.depth > limits.depth {
        return Err(NotAnalysed::TooDeep { limit: limits.depth });
    }
    // Most scripts are scripts; what is none may be a module, unless a comment of the one is code of the other.
    let types = [Some(SourceType::script()), (!nesting.html_comment).then(SourceType::mjs)];
    let mut first = None;
    for source_type in types.into_iter().flatten() {
        let allocator = Allocator::default();
        let parsed = parsed(&allocator, text, source_type);
        if parsed.panicked || parsed.diagnostics.has_errors() {
            let said = parsed.diagnostics.iter().next().map(|diagnostic| diagnostic.message.to_string());
            first.get_or_insert(said.unwrap_or_default());
            continue;
        }
        let options = CodegenOptions { comments: CommentOptions::disabled(), ..CodegenOptions::default() };
        return Ok((Codegen::new().with_options(options).build(&parsed.program).code, source_type));
    }
    Err(NotAnalysed::NoScript { said: first.unwrap_or_default().into() })
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

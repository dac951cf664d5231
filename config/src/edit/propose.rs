//! Pins as text that a person reviews before it goes into pins.toml.

use super::NewPin;
use super::splice::{block, push_visible};

/// A pin that nobody has reviewed as such, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The pin.
    pub pin: NewPin,
    /// Its provenance, a line each: written as comments.
    pub notes: Vec<String>,
}

/// The text of a pins file with these pins. What a note holds stays in its line.
#[must_use]
pub fn proposed(proposals: &[Proposal]) -> String {
    let mut text = String::new();
    for Proposal { pin, notes } in proposals {
        text.push_str(if text.is_empty() { "" } else { "\n" });
        for note in notes {
            text.push_str("# ");
            note.chars().for_each(|char| push_visible(&mut text, char));
            text.push('\n');
        }
        text.push_str(&block(pin));
    }
    text
}

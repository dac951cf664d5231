//! Tables that stay readable where a line has no room for them.
//!
//! A URL and an incident do not fit into 80 columns together. Where they do not, the wide cells of each row go onto
//! a line of their own below it. Where nobody looks, each row is one line, for grep and awk.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use crate::printable::printable;
use crate::terminal::{Terminal, Tone};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// Short text.
    Text(&'static str),
    /// A number: aligned to the right.
    Number(&'static str),
    /// Long text: goes below where the line has no room.
    Wide(&'static str),
}

impl Column {
    /// What stands above it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Text(title) | Self::Number(title) | Self::Wide(title) => title,
        }
    }

    fn is_wide(self) -> bool {
        match self {
            Self::Wide(_) => true,
            Self::Text(_) | Self::Number(_) => false,
        }
    }
}

/// Rows of cells under titles.
#[derive(Debug)]
pub(crate) struct Listing {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Listing {
    pub(crate) fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row: a cell for each column, made safe to look at here.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().map(|cell| printable(&cell).into_owned());
        self.rows.push(cells.collect());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The text, for this terminal. No final newline.
    pub(crate) fn render(&self, terminal: &Terminal) -> String {
        let whole = self.lines(|_| true);
        let widest = whole.iter().map(|line| line.chars().count()).max().unwrap_or_default();
        let below = terminal.width.is_some_and(|width| widest > width);
        let (lines, below) =
            if below { (self.lines(|column| !column.is_wide()), true) } else { (whole, false) };
        let mut text = String::new();
        for (at, line) in lines.iter().enumerate() {
            if at == 0 {
                text.push_str(&terminal.paint(Tone::Faint, line));
                continue;
            }
            text.push('\n');
            text.push_str(line);
            if below {
                text.push_str(&self.wide_cells(at - 1));
            }
        }
        text
    }

    fn wide_cells(&self, row: usize) -> String {
        let cells = self.rows.get(row).into_iter().flatten().zip(&self.columns);
        let wide = cells.filter(|(cell, column)| column.is_wide() && !cell.is_empty());
        wide.map(|(cell, _)| format!("\n    {cell}")).collect()
    }

    /// The titles, then a line for each row.
    fn lines(&self, shown: impl Fn(Column) -> bool) -> Vec<String> {
        let mut table = Table::new();
        table.load_preset(NOTHING).force_no_tty().set_content_arrangement(ContentArrangement::Disabled);
        let pick = |cells: &[String]| -> Vec<String> {
            let cells = cells.iter().zip(&self.columns);
            cells.filter(|(_, column)| shown(**column)).map(|(cell, _)| cell.clone()).collect()
        };
        let titles: Vec<_> = self.columns.iter().map(|column| column.title().to_owned()).collect();
        table.set_header(pick(&titles));
        table.add_rows(self.rows.iter().map(|row| pick(row)));
        let columns = self.columns.iter().filter(|column| shown(**column));
        for (shape, column) in table.column_iter_mut().zip(columns) {
            shape.set_padding((0, 2));
            if matches!(column, Column::Number(_)) {
                shape.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.lines().map(|line| line.trim_end().to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing() -> Listing {
        let mut listing = Listing::new([Column::Text("ID"), Column::Number("SIZE"), Column::Wide("URL")]);
        listing.row(["a".to_owned(), "7 B".to_owned(), "https://v.test/long/path.js".to_owned()]);
        listing.row(["bcd".to_owned(), "1.0 KiB".to_owned(), "https://v.test/\u{202e}x".to_owned()]);
        listing
    }

    fn terminal(width: Option<usize>) -> Terminal {
        Terminal::elsewhere(false, false, width)
    }

    #[test]
    fn where_there_is_room_a_row_is_a_line() {
        let expected = "\
ID      SIZE  URL
a        7 B  https://v.test/long/path.js
bcd  1.0 KiB  https://v.test/\\u{202e}x";
        assert_eq!(listing().render(&terminal(None)), expected);
        assert_eq!(listing().render(&terminal(Some(80))), expected);
    }

    #[test]
    fn where_there_is_none_wide_cells_go_below() {
        let expected = "\
ID      SIZE
a        7 B
    https://v.test/long/path.js
bcd  1.0 KiB
    https://v.test/\\u{202e}x";
        assert_eq!(listing().render(&terminal(Some(30))), expected);
    }
}

//! One table of a file, read key by key.
//!
//! The keys a table may have are the keys that the code asks it for: what nobody asked for is unknown. A value
//! that cannot be used is reported where it stands and read as absent, so that it does not hide the next one.

use std::ops::{Range, RangeInclusive};
use std::rc::Rc;

use jiff::civil::Date;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::quoted;
use crate::quantity;
use crate::source::{Mistake, SourceFile};

/// A table and the keys it was asked for.
#[derive(Debug)]
pub(crate) struct Section<'t> {
    file: &'t SourceFile,
    header: Rc<str>,
    place: Range<usize>,
    table: Option<&'t DeTable<'t>>,
    asked: Vec<&'static str>,
}

impl<'t> Section<'t> {
    pub(crate) fn root(file: &'t SourceFile, table: &'t Spanned<DeTable<'t>>) -> Self {
        Self { file, header: "".into(), place: 0..0, table: Some(table.get_ref()), asked: Vec::new() }
    }

    pub(crate) fn file(&self) -> &'t SourceFile {
        self.file
    }

    /// Its header, or for an inline table its whole text.
    pub(crate) fn place(&self) -> Range<usize> {
        self.place.clone()
    }

    /// Where the value of `key` stands, if it is there.
    pub(crate) fn place_of(&self, key: &str) -> Option<Range<usize>> {
        Some(self.table?.get(key)?.span())
    }

    /// Whether `key` is there and no string.
    pub(crate) fn is_of_another_type(&self, key: &str) -> bool {
        self.table.and_then(|table| table.get(key)).is_some_and(|item| !item.get_ref().is_str())
    }

    /// Whether `key` is a list of nothing.
    pub(crate) fn is_empty_list(&self, key: &str) -> bool {
        let item = self.table.and_then(|table| table.get(key));
        item.and_then(|item| item.get_ref().as_array()).is_some_and(|items| items.is_empty())
    }

    /// The value of `key`.
    pub(crate) fn value(&mut self, key: &'static str) -> Option<Value<'t>> {
        self.asked.push(key);
        let item = self.table?.get(key)?;
        Some(Value { file: self.file, key, item })
    }

    /// The table under `key`; one without keys where there is none.
    pub(crate) fn section(&mut self, key: &'static str) -> Section<'t> {
        let header: Rc<str> = match &*self.header {
            "" => format!("[{key}]").into(),
            outer => format!("[{}.{key}]", outer.trim_matches(['[', ']'])).into(),
        };
        let value = self.value(key);
        let table = value.as_ref().and_then(|value| match value.item.get_ref() {
            DeValue::Table(table) => Some(table),
            DeValue::Array(items) if items.iter().all(|item| item.get_ref().is_table()) => {
                let mistake = Mistake::new(format!("[[{key}]] is a list of tables, expected {header}"));
                self.file.error(value.item.span(), mistake);
                None
            }
            _ => value.wrong_type("a table"),
        });
        let place = value.map_or(self.place(), |value| value.item.span());
        Section { file: self.file, header, place, table, asked: Vec::new() }
    }

    /// The `[[key]]` blocks.
    pub(crate) fn sections(&mut self, key: &'static str) -> Vec<Section<'t>> {
        let header: Rc<str> = format!("[[{key}]]").into();
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Array(items) = value.item.get_ref() else {
            let found = if value.item.get_ref().is_table() { format!("[{key}]") } else { value.found() };
            let mistake = Mistake::new(format!("{key} is {found}, expected {header}"));
            self.file.error(value.item.span(), mistake);
            return Vec::new();
        };
        let section = |item: &'t Spanned<DeValue<'t>>| match item.get_ref() {
            DeValue::Table(table) => Some(Section {
                file: self.file,
                header: Rc::clone(&header),
                place: item.span(),
                table: Some(table),
                // As many as the longest block has keys.
                asked: Vec::with_capacity(8),
            }),
            _ => Value { file: self.file, key, item }.wrong_type("a table"),
        };
        items.iter().filter_map(section).collect()
    }

    /// Every key and its value, in the order of the text, for a table whose keys are not fixed.
    pub(crate) fn entries(&self) -> Vec<(&'t str, Range<usize>, Value<'t>)> {
        let value = |item| Value { file: self.file, key: "the address", item };
        let mut entries: Vec<_> = self
            .table
            .into_iter()
            .flat_map(|table| table.iter())
            .map(|(key, item)| (&**key.get_ref(), key.span(), value(item)))
            .collect();
        entries.sort_by_key(|(_, place, _)| place.start);
        entries
    }

    pub(crate) fn text(&mut self, key: &'static str) -> Option<&'t str> {
        self.value(key)?.text()
    }

    pub(crate) fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let value = self.value(key)?;
        value.item.get_ref().as_bool().or_else(|| value.wrong_type("true or false"))
    }

    pub(crate) fn integer(&mut self, key: &'static str, range: RangeInclusive<u32>) -> Option<u32> {
        self.value(key)?.integer(range)
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        self.parse(key, |text| choose(key, text, words))
    }

    pub(crate) fn duration(&mut self, key: &'static str) -> Option<std::time::Duration> {
        let value = self.value(key)?;
        value.quantity("a duration", "s", |text| quantity::duration(key, text))
    }

    pub(crate) fn size(&mut self, key: &'static str) -> Option<u64> {
        let value = self.value(key)?;
        value.quantity("a size", "B", |text| quantity::size(key, text))
    }

    pub(crate) fn date(&mut self, key: &'static str) -> Option<Date> {
        self.value(key)?.date()
    }

    /// A string that `read` makes something of.
    pub(crate) fn parse<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&str) -> Result<T, Mistake>,
    ) -> Option<T> {
        self.value(key)?.parse(read)
    }

    /// A list of strings: those that `read` can make something of.
    pub(crate) fn parse_list<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&str) -> Result<T, Mistake>,
    ) -> Option<Vec<Spanned<T>>> {
        let items = self.value(key)?.items()?;
        let read = |item: Value<'t>| Some(Spanned::new(item.item.span(), item.parse(&read)?));
        Some(items.filter_map(read).collect())
    }

    /// A value that must be there.
    pub(crate) fn required<T>(&self, key: &str, value: Option<T>, example: &str) -> Option<T> {
        if value.is_none() && self.place_of(key).is_none() {
            let mistake = Mistake::new(format!("{} has no {key}", self.header));
            self.file.error(self.place(), mistake.hint(format!("add {key} = {example}")));
        }
        value
    }

    /// Reports the keys that nobody asked for.
    pub(crate) fn finish(self) {
        for (key, _) in self.table.into_iter().flat_map(|table| table.iter()) {
            let name = &**key.get_ref();
            if self.asked.contains(&name) {
                continue;
            }
            let place = if self.header.is_empty() { String::new() } else { format!(" in {}", self.header) };
            let hint = match closest(name, self.asked.iter().copied()) {
                Some(known) => format!("did you mean '{known}'?"),
                None => format!("known here: {}", self.asked.join(", ")),
            };
            let mistake = Mistake::new(format!("unknown key {}{place}", quoted(name)));
            self.file.error(key.span(), mistake.hint(hint));
        }
    }
}

/// One value, and the key it was asked by.
#[derive(Debug)]
pub(crate) struct Value<'t> {
    file: &'t SourceFile,
    key: &'static str,
    item: &'t Spanned<DeValue<'t>>,
}

impl<'t> Value<'t> {
    pub(crate) fn place(&self) -> Range<usize> {
        self.item.span()
    }

    pub(crate) fn is_table(&self) -> bool {
        self.item.get_ref().is_table()
    }

    pub(crate) fn text(&self) -> Option<&'t str> {
        self.item.get_ref().as_str().or_else(|| self.wrong_type("a string"))
    }

    pub(crate) fn parse<T>(&self, read: impl FnOnce(&str) -> Result<T, Mistake>) -> Option<T> {
        read(self.text()?).map_err(|mistake| self.file.error(self.place(), mistake)).ok()
    }

    pub(crate) fn items(&self) -> Option<impl Iterator<Item = Value<'t>> + use<'t>> {
        let DeValue::Array(items) = self.item.get_ref() else {
            let hint = self.item.get_ref().as_str().map(|text| format!("write [{}]", quoted(text)));
            return self.wrong("a list", hint);
        };
        let Value { file, key, .. } = *self;
        Some(items.iter().map(move |item| Value { file, key, item }))
    }

    pub(crate) fn integer(&self, range: RangeInclusive<u32>) -> Option<u32> {
        let DeValue::Integer(written) = self.item.get_ref() else { return self.wrong_type("an integer") };
        let number = u32::from_str_radix(written.as_str(), written.radix()).ok();
        number.filter(|number| range.contains(number)).or_else(|| {
            let (least, most) = (range.start(), range.end());
            let message = format!("{} is {written}, expected {least} to {most}", self.key);
            self.file.error(self.place(), Mistake::new(message));
            None
        })
    }

    fn quantity<T>(
        &self,
        what: &str,
        unit: &str,
        read: impl FnOnce(&str) -> Result<T, Mistake>,
    ) -> Option<T> {
        if let DeValue::Integer(number) = self.item.get_ref() {
            return self.wrong(what, Some(format!("write \"{number}{unit}\"")));
        }
        self.parse(read)
    }

    fn date(&self) -> Option<Date> {
        let expected = "a date such as 2027-05-23";
        let written = match self.item.get_ref() {
            DeValue::Datetime(written) => written,
            DeValue::String(text) => {
                let hint = text.parse::<Date>().ok().map(|date| format!("write it without quotes: {date}"));
                return self.wrong(expected, hint);
            }
            _ => return self.wrong_type(expected),
        };
        let (Some(date), None, None) = (written.date, written.time, written.offset) else {
            let hint = written.date.map(|date| format!("write the day alone: {date}"));
            return self.wrong(expected, hint);
        };
        let parts = (i16::try_from(date.year), i8::try_from(date.month), i8::try_from(date.day));
        let (Ok(year), Ok(month), Ok(day)) = parts else { return self.wrong_type(expected) };
        Date::new(year, month, day).ok().or_else(|| self.wrong_type(expected))
    }

    fn wrong_type<T>(&self, expected: &str) -> Option<T> {
        self.wrong(expected, None)
    }

    fn wrong<T>(&self, expected: &str, hint: Option<String>) -> Option<T> {
        let mistake = Mistake::new(format!("{} is {}, expected {expected}", self.key, self.found()));
        self.file.error(self.place(), mistake.hint_if_any(hint));
        None
    }

    fn found(&self) -> String {
        match self.item.get_ref() {
            DeValue::String(text) => quoted(text),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            DeValue::Boolean(value) => value.to_string(),
            DeValue::Datetime(value) => value.to_string(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        }
    }
}

/// One of a few words, or what would have been right.
pub(crate) fn choose<T: Copy>(key: &str, text: &str, words: &[(&str, T)]) -> Result<T, Mistake> {
    if let Some((_, meant)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*meant);
    }
    let quotes: Vec<_> = words.iter().map(|(word, _)| quoted(word)).collect();
    let expected = match quotes.as_slice() {
        [rest @ .., last] if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        all => all.join(", "),
    };
    let hint = closest(text, words.iter().map(|(word, _)| *word));
    Err(Mistake::new(format!("{key} is {}, expected {expected}", quoted(text)))
        .hint_if_any(hint.map(|word| format!("did you mean {}?", quoted(word)))))
}

/// The known word that was probably meant.
fn closest<'w>(written: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let written: String = written.chars().take(64).collect::<String>().to_lowercase().replace('-', "_");
    known
        .map(|word| (strsim::osa_distance(&written, &word.to_lowercase().replace('-', "_")), word))
        .filter(|(distance, word)| *distance <= word.chars().count() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

//! Words by their numbers. Each month numbers them as they come, so that what was read of two months is compared by numbers
//! that are of neither.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::str::FromStr;

use pinfold_policy::kind::Kinds;
use pinfold_policy::verdict::Outcome;
use sqlx::SqliteConnection;

use crate::columns::{read_kinds, read_outcome, read_path, unreadable};
use crate::entry::DeliveryPath;

/// Some words of a month.
#[derive(Debug, Default)]
pub(super) struct Words(HashMap<i64, Box<str>>);

impl Words {
    /// Those that have these numbers.
    pub(super) async fn read(
        connection: &mut SqliteConnection,
        numbers: &BTreeSet<i64>,
    ) -> Result<Self, sqlx::Error> {
        let words: Vec<(i64, String)> =
            sqlx::query_as("SELECT id, text FROM word WHERE id IN (SELECT value FROM json_each(?))")
                .bind(serde_json::json!(numbers).to_string())
                .fetch_all(connection)
                .await?;
        Ok(Self(words.into_iter().map(|(number, text)| (number, text.into())).collect()))
    }

    /// The numbers of those of these texts that the month has.
    pub(super) async fn numbers(
        connection: &mut SqliteConnection,
        texts: impl IntoIterator<Item = &str>,
    ) -> Result<HashSet<i64>, sqlx::Error> {
        let texts: Vec<_> = texts.into_iter().collect();
        let numbers: Vec<i64> =
            sqlx::query_scalar("SELECT id FROM word WHERE text IN (SELECT value FROM json_each(?))")
                .bind(serde_json::json!(texts).to_string())
                .fetch_all(connection)
                .await?;
        Ok(numbers.into_iter().collect())
    }

    pub(super) fn text(&self, column: &str, number: i64) -> Result<&str, sqlx::Error> {
        self.0.get(&number).map(|text| &**text).ok_or_else(|| unreadable(column, "no such word"))
    }

    pub(super) fn parsed<T: FromStr>(&self, column: &str, number: i64) -> Result<T, sqlx::Error> {
        let text = self.text(column, number)?;
        text.parse().map_err(|_| unreadable(column, text))
    }

    pub(super) fn outcome(&self, number: i64) -> Result<Outcome, sqlx::Error> {
        read_outcome("outcome", self.text("outcome", number)?)
    }

    pub(super) fn kinds(&self, number: i64) -> Result<Kinds, sqlx::Error> {
        read_kinds("kinds", self.text("kinds", number)?)
    }

    pub(super) fn path(&self, number: i64) -> Result<DeliveryPath, sqlx::Error> {
        read_path("path", self.text("path", number)?)
    }
}

/// Texts of several months, by numbers of their own.
#[derive(Debug, Default)]
pub(super) struct Texts {
    numbers: HashMap<Box<str>, u32>,
    texts: Vec<Box<str>>,
}

impl Texts {
    /// The numbers of a month's words, by those that the month has for them.
    pub(super) fn numbers_of(&mut self, words: &Words) -> HashMap<i64, u32> {
        words.0.iter().map(|(word, text)| (*word, self.number(text))).collect()
    }

    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        // More than there are numbers do not fit in memory.
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.numbers.insert(text.into(), number);
        self.texts.push(text.into());
        number
    }

    pub(super) fn text(&self, number: u32) -> &str {
        self.texts.get(number as usize).map_or("", |text| text)
    }
}

//! Ledger rows, to the file and back.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::SocketAddr;

use jiff::Timestamp;
use pinfold_policy::host::Authority;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::alike::{Common, Numbers};
use super::visits::Place;
use super::{ExchangeRow, Stream, TunnelRow};
use crate::columns::{Columns, client_tls_text, path_text, unreadable};
use crate::count::Count;
use crate::entry::{Asker, Exchange, Gap, Notice, Tunnel, TunnelEnd};
use crate::incident::Incident;
use crate::sqlite::{After, Transaction, int};

/// Words that are remembered. There are few that come again and again; the others are looked up.
const MAX_WORDS: usize = 50_000;

/// Longer words are not remembered: a client could have megabytes of them kept with a URL for each.
const MAX_WORD: usize = 256;

/// The numbers of words, and of what is alike, as far as they are known to be on disk.
#[derive(Debug, Default)]
pub(super) struct Known {
    words: Words,
    alike: Numbers,
}

#[derive(Debug, Default)]
struct Words {
    numbers: HashMap<Box<str>, i64>,
    /// Those of this transaction that were not in the file before, as long as no exchange has them.
    new: HashSet<Box<str>>,
}

impl Words {
    /// Takes up the numbers of all that are not too long, in one command.
    async fn learn<'w>(
        &mut self,
        transaction: &mut Transaction,
        words: impl Iterator<Item = &'w str>,
    ) -> Result<(), sqlx::Error> {
        let is_unknown = |word: &&str| word.len() <= MAX_WORD && !self.numbers.contains_key(*word);
        let unknown: BTreeSet<&str> = words.filter(is_unknown).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let (connection, command) = transaction.command(
            "INSERT INTO word (text) SELECT value FROM json_each(?1) WHERE true
                 ON CONFLICT DO NOTHING RETURNING id, text, true;
             SELECT id, text, false FROM word WHERE text IN (SELECT value FROM json_each(?1))",
            After::GoOn,
        );
        let rows: Vec<(i64, String, bool)> = sqlx::query_as(command)
            .bind(serde_json::json!(unknown).to_string())
            .fetch_all(connection)
            .await?;
        for (number, word, is_new) in rows {
            self.remember(&word, number);
            if is_new {
                self.new.insert(word.into());
            }
        }
        Ok(())
    }

    /// Whether one of them was not in the file before, so that no exchange can have had it. This one has them now.
    fn take_new<'w>(&mut self, words: impl Iterator<Item = &'w str>) -> bool {
        words.filter(|word| self.new.remove(*word)).count() > 0
    }

    fn remember(&mut self, word: &str, number: i64) {
        if word.len() <= MAX_WORD {
            if self.numbers.len() >= MAX_WORDS {
                self.numbers.clear();
            }
            self.numbers.insert(word.into(), number);
        }
    }

    async fn number(&mut self, transaction: &mut Transaction, word: &str) -> Result<i64, sqlx::Error> {
        if let Some(number) = self.numbers.get(word) {
            return Ok(*number);
        }
        // What is not remembered is new more often than not, and each command costs more than what it does.
        let begun = sqlx::query("INSERT INTO word (text) VALUES (?) ON CONFLICT DO NOTHING")
            .bind(word)
            .execute(transaction.begun().await?)
            .await?;
        let number = if begun.rows_affected() > 0 {
            self.new.insert(word.into());
            begun.last_insert_rowid()
        } else {
            let known = sqlx::query_scalar("SELECT id FROM word WHERE text = ?").bind(word);
            known.fetch_one(transaction.begun().await?).await?
        };
        self.remember(word, number);
        Ok(number)
    }

    async fn maybe(
        &mut self,
        transaction: &mut Transaction,
        word: Option<&str>,
    ) -> Result<Option<i64>, sqlx::Error> {
        match word {
            Some(word) => self.number(transaction, word).await.map(Some),
            None => Ok(None),
        }
    }

    async fn common(
        &mut self,
        transaction: &mut Transaction,
        exchange: &Exchange,
        texts: &Texts,
    ) -> Result<Common, sqlx::Error> {
        let asker = &exchange.asker;
        Ok(Common {
            client: self.number(transaction, &texts.client).await?,
            user: self.maybe(transaction, asker.user.as_deref()).await?,
            page: self.maybe(transaction, asker.page.as_deref()).await?,
            method: self.number(transaction, &exchange.method).await?,
            url: self.number(transaction, &exchange.url).await?,
            destination: self.maybe(transaction, exchange.destination.as_deref()).await?,
            vendor: self.maybe(transaction, exchange.vendor.as_deref()).await?,
            kinds: self.number(transaction, &texts.kinds).await?,
            outcome: self.number(transaction, exchange.outcome.as_str()).await?,
            reason: self.maybe(transaction, exchange.reason.map(|reason| reason.code())).await?,
            body: exchange.body,
            status: exchange.status,
            path: self.maybe(transaction, texts.path.as_deref()).await?,
        })
    }
}

/// The words of an exchange that are not text in it.
struct Texts {
    client: String,
    kinds: String,
    path: Option<String>,
    client_tls: Option<String>,
}

impl Texts {
    fn of(exchange: &Exchange) -> Self {
        Self {
            client: exchange.asker.address.ip().to_canonical().to_string(),
            kinds: exchange.kinds.to_string(),
            path: exchange.path.as_ref().map(path_text),
            client_tls: exchange.client_tls.as_ref().map(client_tls_text),
        }
    }

    /// What [`Common`] has the numbers of.
    fn of_common<'w>(&'w self, exchange: &'w Exchange) -> impl Iterator<Item = &'w str> {
        let Exchange { asker, method, url, outcome, .. } = exchange;
        let always = [&*self.client, &*self.kinds, method, url, outcome.as_str()];
        let sometimes = [
            asker.user.as_deref(),
            asker.page.as_deref(),
            exchange.destination.as_deref(),
            exchange.vendor.as_deref(),
            exchange.reason.map(|reason| reason.code()),
            self.path.as_deref(),
        ];
        always.into_iter().chain(sometimes.into_iter().flatten())
    }

    fn all<'w>(&'w self, exchange: &'w Exchange) -> impl Iterator<Item = &'w str> {
        self.of_common(exchange).chain(self.of_exchange(exchange))
    }

    /// What is the exchange's own.
    fn of_exchange<'w>(&'w self, exchange: &'w Exchange) -> impl Iterator<Item = &'w str> {
        let sometimes = [
            exchange.asker.user_agent.as_deref(),
            exchange.media_type.as_deref(),
            exchange.rule.as_deref(),
            self.client_tls.as_deref(),
        ];
        std::iter::once(&*exchange.http_version).chain(sometimes.into_iter().flatten())
    }
}

/// What a row says besides the exchange.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) id: Uuid,
    pub(super) shares: Option<Uuid>,
    pub(super) open: bool,
    pub(super) count: u64,
    pub(super) last: Timestamp,
}

/// Takes up the words of all of them, in one command.
pub(super) async fn learn_words(
    transaction: &mut Transaction,
    known: &mut Known,
    exchanges: impl Iterator<Item = &Exchange>,
) -> Result<(), sqlx::Error> {
    let exchanges: Vec<_> = exchanges.map(|exchange| (exchange, Texts::of(exchange))).collect();
    let words = exchanges.iter().flat_map(|(exchange, texts)| texts.all(exchange));
    known.words.learn(transaction, words).await
}

/// No word is new any more.
pub(super) fn end_transaction(known: &mut Known) {
    known.words.new.clear();
}

/// Adds to a row, or begins it.
pub(super) async fn count_exchange(
    transaction: &mut Transaction,
    known: &mut Known,
    exchange: &Exchange,
    counted: Counted,
) -> Result<(), sqlx::Error> {
    let added = sqlx::query("UPDATE exchange SET count = count + ?, last = max(last, ?) WHERE id = ?")
        .bind(int(counted.count))
        .bind(counted.last.as_microsecond())
        .bind(&counted.id.as_bytes()[..])
        .execute(transaction.begun().await?)
        .await?;
    if added.rows_affected() > 0 {
        return Ok(());
    }
    insert_exchange(transaction, known, exchange, counted, After::GoOn).await
}

/// Begins a row that cannot be there yet.
pub(super) async fn insert_exchange(
    transaction: &mut Transaction,
    known: &mut Known,
    exchange: &Exchange,
    counted: Counted,
    after: After,
) -> Result<(), sqlx::Error> {
    let Known { words, alike } = known;
    let texts = Texts::of(exchange);
    words.learn(transaction, texts.all(exchange)).await?;
    let common = words.common(transaction, exchange, &texts).await?;
    let is_new = words.take_new(texts.of_common(exchange));
    let user_agent = words.maybe(transaction, exchange.asker.user_agent.as_deref()).await?;
    let http_version = words.number(transaction, &exchange.http_version).await?;
    let media_type = words.maybe(transaction, exchange.media_type.as_deref()).await?;
    let rule = words.maybe(transaction, exchange.rule.as_deref()).await?;
    let client_tls = words.maybe(transaction, texts.client_tls.as_deref()).await?;
    // Where one of its words is new, nothing can have been alike before.
    let number = if is_new { None } else { alike.number(transaction, &common).await? };
    let (connection, command) = transaction.command(INSERT, after);
    let begun_alike = common
        .bound_to(command)
        .bind(exchange.at.as_microsecond())
        .bind(exchange.at.as_microsecond())
        .bind(number)
        .bind(&counted.id.as_bytes()[..])
        .bind(counted.shares.as_ref().map(|id| &id.as_bytes()[..]))
        .bind(counted.open)
        .bind(exchange.at.as_microsecond())
        .bind(counted.last.as_microsecond())
        .bind(int(counted.count))
        .bind(int(exchange.took_us))
        .bind(number)
        .bind(i64::from(exchange.asker.address.port()))
        .bind(user_agent)
        .bind(http_version)
        .bind(exchange.incident.as_ref().map(|incident| &incident.0.as_bytes()[..]))
        .bind(exchange.body_len.map(int))
        .bind(media_type)
        .bind(exchange.vendor_status.map(i64::from))
        .bind(rule)
        .bind(int(exchange.policy_version))
        .bind(client_tls)
        .fetch_all(connection)
        .await?;
    if let Some(row) = begun_alike.first() {
        alike.remember(&common, row.try_get(0)?);
    }
    Ok(())
}

/// An exchange, and before it what it has in common with others unless that has a number; its sums are zero: the triggers
/// add each row.
const INSERT: &str =
    "INSERT INTO alike (client, user, page, method, url, destination, vendor, kinds, outcome, reason, body, status, path,
         count, whole, first, last)
     SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ? WHERE ? IS NULL RETURNING id;
     INSERT INTO exchange (id, shares, open, at, last, count, whole, took_us, alike, client_port, user_agent,
         http_version, incident, body_len, media_type, vendor_status, rule, policy_version, client_tls)
     VALUES (?, ?, ?, ?, ?, ?, 0, ?, coalesce(?, last_insert_rowid()), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Begins a tunnel's row. A refused one is final with that.
pub(super) async fn insert_tunnel(
    transaction: &mut Transaction,
    known: &mut Known,
    tunnel: &Tunnel,
) -> Result<(), sqlx::Error> {
    let words = &mut known.words;
    let asker = &tunnel.asker;
    let client = words.number(transaction, &asker.address.ip().to_canonical().to_string()).await?;
    let user = words.maybe(transaction, asker.user.as_deref()).await?;
    let page = words.maybe(transaction, asker.page.as_deref()).await?;
    let user_agent = words.maybe(transaction, asker.user_agent.as_deref()).await?;
    let authority = words.number(transaction, &tunnel.authority.to_string()).await?;
    let server_name = words.maybe(transaction, tunnel.server_name.as_deref()).await?;
    let dialled = words.maybe(transaction, tunnel.dialled.map(|ip| ip.to_string()).as_deref()).await?;
    let reason = words.maybe(transaction, tunnel.reason.map(|reason| reason.code())).await?;
    sqlx::query(
        "INSERT INTO tunnel (id, open, at, client, client_port, page, user_agent, authority, server_name, dialled,
             reason, incident, status, policy_version, user)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&tunnel.id.as_bytes()[..])
    .bind(tunnel.reason.is_none())
    .bind(tunnel.at.as_microsecond())
    .bind(client)
    .bind(i64::from(asker.address.port()))
    .bind(page)
    .bind(user_agent)
    .bind(authority)
    .bind(server_name)
    .bind(dialled)
    .bind(reason)
    .bind(tunnel.incident.as_ref().map(|incident| &incident.0.as_bytes()[..]))
    .bind(i64::from(tunnel.status))
    .bind(int(tunnel.policy_version))
    .bind(user)
    .execute(transaction.begun().await?)
    .await?;
    Ok(())
}

/// Ends a tunnel's row.
pub(super) async fn end_tunnel(
    transaction: &mut Transaction,
    id: Uuid,
    end: Option<TunnelEnd>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE tunnel SET open = 0, sent = ?, received = ?, open_ms = ? WHERE id = ?")
        .bind(end.map(|end| int(end.sent)))
        .bind(end.map(|end| int(end.received)))
        .bind(end.map(|end| int(end.open_ms)))
        .bind(&id.as_bytes()[..])
        .execute(transaction.begun().await?)
        .await?;
    Ok(())
}

/// Adds to the row of a place and hour, or begins it.
pub(super) async fn count_visit(
    transaction: &mut Transaction,
    known: &mut Known,
    place: &Place,
    count: &Count,
) -> Result<(), sqlx::Error> {
    let words = &mut known.words;
    let client = words.maybe(transaction, place.client().map(|client| client.to_string()).as_deref()).await?;
    let user = words.maybe(transaction, place.user()).await?;
    let authority = words.maybe(transaction, place.authority().map(ToString::to_string).as_deref()).await?;
    sqlx::query(
        "INSERT INTO visit (hour, client, user, authority, count, first, last) VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET count = count + excluded.count, first = min(first, excluded.first),
             last = max(last, excluded.last)",
    )
    .bind(place.hour())
    .bind(client.unwrap_or(0))
    .bind(user.unwrap_or(0))
    .bind(authority.unwrap_or(0))
    .bind(int(count.times))
    .bind(count.first.as_microsecond())
    .bind(count.last.as_microsecond())
    .execute(transaction.begun().await?)
    .await?;
    Ok(())
}

/// Writes a gap, and says whether it was not there yet.
pub(super) async fn insert_gap(transaction: &mut Transaction, gap: &Gap) -> Result<bool, sqlx::Error> {
    let insert = "INSERT OR IGNORE INTO gap (id, since, until, exchanges, tunnels) VALUES (?, ?, ?, ?, ?)";
    let inserted = sqlx::query(insert)
        .bind(&gap.id.as_bytes()[..])
        .bind(gap.since.as_microsecond())
        .bind(gap.until.as_microsecond())
        .bind(int(gap.exchanges))
        .bind(int(gap.tunnels))
        .execute(transaction.begun().await?)
        .await?;
    Ok(inserted.rows_affected() > 0)
}

/// Takes up the words of all of them, in one command.
pub(super) async fn learn_words_of_notices(
    transaction: &mut Transaction,
    known: &mut Known,
    notices: impl Iterator<Item = &Notice>,
) -> Result<(), sqlx::Error> {
    let words = notices.flat_map(|Notice { what, who, subject, .. }| {
        [Some(what.as_str()), who.as_deref(), subject.as_deref()].into_iter().flatten()
    });
    known.words.learn(transaction, words).await
}

/// Writes a notice, with as much of its text as is kept, and what the outputs read if it is for them. Gives its place there. If one
/// of its name is in the file, nothing is written.
pub(super) async fn insert_notice(
    transaction: &mut Transaction,
    known: &mut Known,
    notice: &Notice,
    stream: Option<Stream>,
) -> Result<Option<i64>, sqlx::Error> {
    let words = &mut known.words;
    let what = words.number(transaction, notice.what.as_str()).await?;
    let who = words.maybe(transaction, notice.who.as_deref()).await?;
    let subject = words.maybe(transaction, notice.subject.as_deref()).await?;
    let text = notice.text.get(..notice.text.floor_char_boundary(Notice::LONGEST_TEXT));
    let fed: Option<i64> = sqlx::query_scalar(
        "INSERT OR IGNORE INTO notice (id, at, what, who, subject, digest, incident, text, policy_version)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9);
         INSERT INTO feed (stream, id) SELECT ?10, ?1 WHERE ?10 IS NOT NULL AND changes() > 0 RETURNING seq",
    )
    .bind(&notice.id.as_bytes()[..])
    .bind(notice.at.as_microsecond())
    .bind(what)
    .bind(who)
    .bind(subject)
    .bind(notice.digest.as_ref().map(|digest| &digest.0[..]))
    .bind(notice.incident.as_ref().map(|incident| &incident.0.as_bytes()[..]))
    .bind(text.unwrap_or_default())
    .bind(int(notice.policy_version))
    .bind(stream.map(Stream::number))
    .fetch_optional(transaction.begun().await?)
    .await?;
    Ok(fed)
}

/// Reads a row of `notice_text`.
pub(super) fn read_notice(row: &SqliteRow) -> Result<Notice, sqlx::Error> {
    let columns = Columns(row);
    Ok(Notice {
        id: columns.uuid("id")?,
        at: columns.time("at")?,
        what: columns.what("what")?,
        who: columns.text_or_none("who")?.map(Into::into),
        subject: columns.text_or_none("subject")?,
        digest: columns.body_or_none("digest")?,
        incident: columns.uuid_or_none("incident")?.map(Incident),
        text: columns.text("text")?,
        policy_version: columns.number("policy_version")?,
    })
}

/// Reads a row of `gap`.
pub(super) fn read_gap(row: &SqliteRow) -> Result<Gap, sqlx::Error> {
    let columns = Columns(row);
    Ok(Gap {
        id: columns.uuid("id")?,
        since: columns.time("since")?,
        until: columns.time("until")?,
        exchanges: columns.number("exchanges")?,
        tunnels: columns.number("tunnels")?,
    })
}

/// Reads a row of `exchange_text`.
pub(super) fn read_exchange(row: &SqliteRow) -> Result<ExchangeRow, sqlx::Error> {
    let columns = Columns(row);
    let exchange = Exchange {
        id: columns.uuid("id")?,
        at: columns.time("at")?,
        took_us: columns.number("took_us")?,
        asker: read_asker(&columns)?,
        method: columns.text("method")?.into_string().into(),
        http_version: columns.text("http_version")?.into_string().into(),
        url: columns.text("url")?.into(),
        vendor: columns.text_or_none("vendor")?.map(Into::into),
        kinds: columns.kinds("kinds")?,
        outcome: columns.outcome("outcome")?,
        reason: columns.parsed_or_none("reason")?,
        incident: columns.uuid_or_none("incident")?.map(Incident),
        body: columns.body_or_none("body")?,
        body_len: columns.number_or_none("body_len")?,
        media_type: columns.text_or_none("media_type")?,
        vendor_status: row.try_get::<Option<u16>, _>("vendor_status")?,
        status: columns.small("status")?,
        rule: columns.text_or_none("rule")?.map(Into::into),
        policy_version: columns.number("policy_version")?,
        path: columns.path("path")?,
        client_tls: columns.client_tls("client_tls")?,
        destination: columns.text_or_none("destination")?.map(Into::into),
    };
    Ok(ExchangeRow {
        exchange,
        count: columns.number("count")?,
        whole: columns.number("whole")?,
        last: columns.time("last")?,
    })
}

/// Reads a row of `tunnel_text`.
pub(super) fn read_tunnel(row: &SqliteRow) -> Result<TunnelRow, sqlx::Error> {
    let columns = Columns(row);
    let authority = columns.text("authority")?;
    let authority =
        Authority::parse(&authority, None).map_err(|error| unreadable("authority", error.to_string()))?;
    let tunnel = Tunnel {
        id: columns.uuid("id")?,
        at: columns.time("at")?,
        asker: read_asker(&columns)?,
        authority,
        server_name: columns.text_or_none("server_name")?.map(Into::into),
        dialled: columns.parsed_or_none("dialled")?,
        reason: columns.parsed_or_none("reason")?,
        incident: columns.uuid_or_none("incident")?.map(Incident),
        status: columns.small("status")?,
        policy_version: columns.number("policy_version")?,
    };
    let end = match (
        columns.number_or_none("sent")?,
        columns.number_or_none("received")?,
        columns.number_or_none("open_ms")?,
    ) {
        (Some(sent), Some(received), Some(open_ms)) => Some(TunnelEnd { sent, received, open_ms }),
        _ => None,
    };
    Ok(TunnelRow { tunnel, end, open: columns.number("open")? != 0 })
}

fn read_asker(columns: &Columns<'_>) -> Result<Asker, sqlx::Error> {
    Ok(Asker {
        address: SocketAddr::new(columns.parsed("client")?, columns.small("client_port")?),
        user: columns.text_or_none("user")?.map(Into::into),
        page: columns.text_or_none("page")?.map(Into::into),
        user_agent: columns.text_or_none("user_agent")?.map(Into::into),
    })
}

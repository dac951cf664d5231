//! What was found, for programs. The fields are listed in `docs/reference.md`.

use pinfold_triage::{
    Capability, Deed, Diff, DiffLine, Elsewhere, Fact, Findings, Function, Host, Literal, Loss, Mark,
    Measure, NotAnalysed, OtherOrigin, Renamed, Site, Together,
};
use serde_json::{Value, json};

use super::{Compared, contents_json};
use crate::comparison::Known;

/// All of it.
pub(super) fn of(compared: &Compared) -> Value {
    let Compared { item, verified, findings } = compared;
    let mut all = json!({
        "incident": item.incident.to_string(),
        "url": &*item.url,
        "subject": &*item.subject,
        "digest": item.digest.to_string(),
        "size": item.len,
        "verified": verified.as_ref().map(verified_json),
    });
    if let (Value::Object(all), Value::Object(found)) = (&mut all, findings_json(findings)) {
        all.extend(found);
    }
    all
}

/// What was found, of a body or of a member of one.
pub(crate) fn findings_json(findings: &Findings) -> Value {
    let Findings {
        change,
        not_analysed,
        version,
        together,
        facts,
        losses,
        hosts,
        functions,
        function_counts: counts,
        literals,
        measures,
        diff,
        whole: _,
        contents,
    } = findings;
    json!({
        "change": change.code(),
        "not_analysed": not_analysed.as_ref().map(not_analysed_json),
        "version": version.as_ref().map(|version| json!({ "verified": &*version.reviewed, "new": &*version.new })),
        "together": together.iter().map(together_json).collect::<Value>(),
        "hosts": hosts.iter().map(host_json).collect::<Value>(),
        "capabilities": facts.iter().map(fact_json).collect::<Value>(),
        "guards": losses.iter().map(loss_json).collect::<Value>(),
        "functions": functions.iter().map(function_json).collect::<Value>(),
        "function_counts": {
            "verified": counts.reviewed,
            "new": counts.new,
            "added": counts.added,
            "removed": counts.removed,
            "changed": counts.changed,
            "moved": counts.moved,
        },
        "literals": literals.iter().map(literal_json).collect::<Value>(),
        "measures": measures.iter().map(measure_json).collect::<Value>(),
        "diff": diff_json(diff),
        "contents": contents.as_deref().map(contents_json::of),
    })
}

fn verified_json(verified: &Known) -> Value {
    json!({
        "digest": verified.digest.to_string(),
        "size": verified.len,
        "at": verified.at.to_string(),
        "learned": verified.learned,
    })
}

fn not_analysed_json(why: &NotAnalysed) -> Value {
    json!({ "code": why.code(), "text": why.text() })
}

fn host_json(host: &Host) -> Value {
    json!({
        "host": &*host.host,
        "domain": &*host.domain,
        "urls": host.urls.iter().map(|url| &**url).collect::<Vec<_>>(),
        "line": host.line,
        "excerpt": host.excerpt.as_deref(),
        "hidden": host.hidden,
        "imitates": host.imitates.as_deref(),
        "reached_by": host.reached_by.map(Capability::code),
    })
}

fn together_json(together: &Together) -> Value {
    json!({
        "text": together.text(),
        "function": together.function.as_ref().map(function_json),
        "line": together.line,
        "last_line": together.last_line,
        "newly": together.newly.iter().map(deed_json).collect::<Value>(),
        "other": together.other.iter().map(deed_json).collect::<Value>(),
        "hosts": names(&together.hosts),
    })
}

fn deed_json(deed: &Deed) -> Value {
    json!({ "capability": deed.capability.code(), "to": names(&deed.to) })
}

fn names(names: &[Box<str>]) -> Value {
    names.iter().map(|name| &**name).collect()
}

fn fact_json(fact: &Fact) -> Value {
    json!({
        "capability": fact.capability.code(),
        "group": fact.capability.group().code(),
        "text": fact.capability.text(),
        "verified": fact.reviewed,
        "new": fact.new,
        "novelty": fact.novelty().code(),
        "sites": fact.sites.iter().map(site_json).collect::<Value>(),
        "gone": fact.gone.iter().map(site_json).collect::<Value>(),
    })
}

fn loss_json(loss: &Loss) -> Value {
    json!({
        "guard": loss.guard.code(),
        "text": loss.text(),
        "verified": loss.reviewed,
        "new": loss.new,
        "gone": loss.gone.iter().map(site_json).collect::<Value>(),
        "others": loss.others.iter().map(site_json).collect::<Value>(),
    })
}

fn site_json(site: &Site) -> Value {
    json!({
        "line": site.line,
        "excerpt": &*site.excerpt,
        "means": site.means.as_deref(),
        "in_string": site.in_string,
        "differs": site.differs.as_ref().map(elsewhere_json),
        "origins": site.origins.iter().map(origin_json).collect::<Value>(),
        "more_origins": site.are_more_origins,
    })
}

fn origin_json(origin: &OtherOrigin) -> Value {
    json!({
        "name": &*origin.name,
        "verified": origin.old.as_ref().map(elsewhere_json),
        "new": origin.new.as_ref().map(elsewhere_json),
    })
}

fn elsewhere_json(there: &Elsewhere) -> Value {
    json!({ "line": there.line, "excerpt": &*there.excerpt })
}

fn function_json(function: &Function) -> Value {
    json!({ "name": &*function.name, "change": function.how.code(), "line": function.line })
}

fn literal_json(literal: &Literal) -> Value {
    json!({ "line": literal.line, "old": &*literal.old, "new": &*literal.new })
}

fn measure_json(measure: &Measure) -> Value {
    json!({ "what": measure.what, "verified": measure.reviewed, "new": measure.new })
}

fn diff_json(diff: &Diff) -> Value {
    let hunks = diff.hunks.iter().map(|hunk| {
        let lines = hunk.lines.iter().map(line_json);
        json!({ "old_start": hunk.old_start, "new_start": hunk.new_start, "lines": lines.collect::<Value>() })
    });
    json!({
        "added": diff.added,
        "removed": diff.removed,
        "left_out": diff.left_out,
        "part": diff.part + 1,
        "parts": diff.parts.len().max(1),
        "cut": diff.cut,
        "names": names_json(&diff.renamed),
        "hunks": hunks.collect::<Value>(),
    })
}

/// Its mark and its text, and the names in it that are others than they seem, where there are some.
fn line_json(line: &DiffLine) -> Value {
    let mut parts = vec![mark_text(line.mark), &*line.text];
    parts.extend(line.other_names.as_deref());
    json!(parts)
}

/// What became of lines that differ by names of local variables alone.
fn names_json(renamed: &Renamed) -> Value {
    match renamed {
        Renamed::Shown => json!({ "shown": true, "left_out": 0, "not_known": null }),
        Renamed::LeftOut { lines } => json!({ "shown": false, "left_out": lines, "not_known": null }),
        Renamed::NotKnown(why) => {
            json!({ "shown": true, "left_out": 0, "not_known": not_analysed_json(why) })
        }
    }
}

/// As diffs have it.
pub(super) fn mark_text(mark: Mark) -> &'static str {
    match mark {
        Mark::Both => " ",
        Mark::Removed => "-",
        Mark::Added => "+",
    }
}

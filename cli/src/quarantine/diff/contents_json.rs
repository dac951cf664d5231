//! What a body is and holds, for programs.

use pinfold_triage::{
    Contents, InstallScript, Member, MemberFacts, Names, Oddity, Property, Section, SectionFacts, Signature,
    Signing,
};
use serde_json::{Value, json};

use super::json::findings_json;

/// All of it, members with all that was found in them.
pub(super) fn of(contents: &Contents) -> Value {
    let Contents { counts, .. } = contents;
    json!({
        "format": contents.format.code(),
        "verified_format": contents.reviewed_format.map(pinfold_triage::Format::code),
        "size": contents.size,
        "verified_size": contents.reviewed_size,
        "properties": contents.properties.iter().map(property_json).collect::<Value>(),
        "signing": contents.signing.as_ref().map(signing_json),
        "sections": contents.sections.iter().map(section_json).collect::<Value>(),
        "names": contents.names.iter().map(names_json).collect::<Value>(),
        "oddities": contents.oddities.iter().map(oddity_json).collect::<Value>(),
        "install_scripts": contents.install_scripts.iter().map(install_json).collect::<Value>(),
        "member_counts": {
            "added": counts.added, "removed": counts.removed, "changed": counts.changed, "same": counts.same,
        },
        "members": contents.members.iter().map(member_json).collect::<Value>(),
    })
}

fn property_json(property: &Property) -> Value {
    json!({ "what": property.what, "verified": property.reviewed.as_deref(), "new": property.new.as_deref() })
}

fn signing_json(signing: &Signing) -> Value {
    json!({
        "change": signing.change.code(),
        "verified": signing.reviewed.iter().map(signature_json).collect::<Value>(),
        "new": signing.new.iter().map(signature_json).collect::<Value>(),
    })
}

fn signature_json(signature: &Signature) -> Value {
    json!({
        "unreadable": signature.unreadable,
        "signer": &*signature.signer,
        "issuer": &*signature.issuer,
        "serial": &*signature.serial,
        "thumbprint": &*signature.thumbprint,
        "countersigned": signature.countersigned.as_deref(),
        "of_these_bytes": signature.of_these_bytes,
        "by_that_key": signature.by_that_key,
    })
}

fn section_json(section: &Section) -> Value {
    json!({
        "name": &*section.name,
        "verified": section.reviewed.map(section_facts_json),
        "new": section.new.map(section_facts_json),
        "notable": section.notable,
    })
}

fn section_facts_json(facts: SectionFacts) -> Value {
    let SectionFacts { size, entropy, writable, executable } = facts;
    json!({ "size": size, "entropy": entropy, "writable": writable, "executable": executable })
}

fn names_json(names: &Names) -> Value {
    let list = |names: &[Box<str>]| names.iter().map(|name| Value::from(&**name)).collect::<Value>();
    json!({
        "kind": names.kind,
        "added": list(&names.added),
        "removed": list(&names.removed),
        "added_count": names.added_count,
        "removed_count": names.removed_count,
    })
}

fn oddity_json(oddity: &Oddity) -> Value {
    json!({
        "code": oddity.kind.code(),
        "text": oddity.kind.text(),
        "member": &*oddity.member,
        "verified_too": oddity.reviewed,
    })
}

fn install_json(script: &InstallScript) -> Value {
    json!({
        "member": &*script.member,
        "name": &*script.name,
        "verified": script.reviewed.as_deref(),
        "new": script.new.as_deref(),
    })
}

fn member_json(member: &Member) -> Value {
    json!({
        "name": &*member.name,
        "verified": member.reviewed.as_ref().map(member_facts_json),
        "new": member.new.as_ref().map(member_facts_json),
        "found": member.findings.as_deref().map(findings_json),
    })
}

fn member_facts_json(facts: &MemberFacts) -> Value {
    json!({ "size": facts.size, "sha256": facts.digest.as_deref() })
}

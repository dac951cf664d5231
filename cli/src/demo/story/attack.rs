//! The attack: what it looks like without pinfold, and what becomes of it with pinfold.

use pinfold_policy::digest::Digests;
use rustls::pki_types::CertificateDer;

use super::{
    DOWNLOAD_PAGE, RECEPTION, Release, SALES_LAPTOP, SUPPORT_DESK, SUPPORT_PAGE, Story, file_name, shown,
};
use crate::demo::Doing as _;
use crate::demo::artifacts::{self, AGENT, AGENT_RENAMED, CHAT, SECOND_STAGE};
use crate::demo::client::{Computer, Reply};
use crate::failure::Failure;

impl Story<'_, '_> {
    pub(super) async fn change_at_the_source(&mut self, changed: &Release) -> Result<(), Failure> {
        self.begin(
            "The files are changed at the source",
            "An attacker changes both files on the vendor's own servers. (In 2022 it was the desktop agent. The \
             script is here to show what its JavaScript did.) The addresses stay the same. The sales laptop is \
             at home, without pinfold, and fetches both straight from the vendor.",
        )?;
        self.publish(changed);
        let way = self.stage.straight_to(&self.stage.vendor)?;
        let chat = way.get(SALES_LAPTOP, CHAT, SUPPORT_PAGE).await?;
        let agent = way.get(SALES_LAPTOP, AGENT, DOWNLOAD_PAGE).await?;
        let same = self.certificates == [chat.certificate.as_str(), agent.certificate.as_str()];
        let seen = format!("{} and {}", chat.certificate, agent.certificate);
        self.teller.check(
            same,
            "the connections are flawless: the vendor's certificates, as before",
            seen,
        )?;
        let ok = chat.status == 200 && chat.body == changed.chat;
        self.teller.check(
            ok,
            "the laptop gets the changed chat script, and nothing warns it",
            chat.seen(),
        )?;
        let ok = agent.status == 200 && agent.body == changed.agent;
        self.teller.check(ok, "the laptop gets the changed installer", agent.seen())?;
        let signed = artifacts::is_signed_by(&agent.body, &self.signer()?);
        self.teller.check(signed, "the vendor's signature on the changed installer is valid", "it is not")?;
        self.teller.paragraph(
            "So a check of the signature would have let it in: a signature says who signed, and not whether \
             anybody looked. Whoever is inside the vendor's systems can have it signed, as in 2022.",
        )?;
        Ok(())
    }

    pub(super) async fn refuse(&mut self, changed: &Release) -> Result<(), Failure> {
        self.begin(
            "pinfold refuses both, and keeps them",
            "The office asks for the same files through the gateway. The bytes are not the pinned ones: the \
             client gets a refusal (403) in place of them, with a number to call about: the incident. The bytes \
             go into quarantine for the reviewer.",
        )?;
        let by_the_desk = self.refused(SUPPORT_DESK, CHAT, changed).await?;
        let by_reception = self.refused(RECEPTION, CHAT, changed).await?;
        let one = by_the_desk.incident().is_some() && by_the_desk.incident() == by_reception.incident();
        let seen = format!("{:?} and {:?}", by_the_desk.incident(), by_reception.incident());
        self.teller.check(one, "the same bytes are one incident, however many computers ask", seen)?;
        let agent = self.refused(SUPPORT_DESK, AGENT, changed).await?;
        self.kept(&by_the_desk, CHAT, &changed.chat).await?;
        self.kept(&agent, AGENT, &changed.agent).await
    }

    /// Has a computer ask for a pinned file that was changed.
    async fn refused(
        &mut self,
        by: Computer,
        url: &'static str,
        changed: &Release,
    ) -> Result<Reply, Failure> {
        let (page, bytes) =
            if url == CHAT { (SUPPORT_PAGE, &changed.chat) } else { (DOWNLOAD_PAGE, &changed.agent) };
        let reply = self.stage.through_the_gateway()?.get(by, url, page).await?;
        let ok = reply.is_refused("quarantined", "digest-mismatch", bytes);
        let told = format!("{}: {} is refused with 403, no byte of it came", shown(by), file_name(url));
        self.teller.check(ok, &told, reply.seen())?;
        self.teller.evidence(&format!("Pinfold-Verdict: {}", reply.verdict))?;
        self.asked.push((by, url));
        Ok(reply)
    }

    /// Looks into the quarantine for what a refusal was about.
    async fn kept(&mut self, refusal: &Reply, url: &str, bytes: &[u8]) -> Result<(), Failure> {
        let desk = self.stage.review_desk().await?;
        let item = match refusal.incident() {
            Some(incident) => desk.item(incident).await?,
            None => None,
        };
        let id = Digests::of(bytes).sha256;
        let body = desk.body_of(id).await?;
        desk.close().await?;
        let item = item.map(|(item, _)| item);
        let ok = item.as_ref().is_some_and(|item| item.digest == id) && body.as_deref() == Some(bytes);
        let told = format!("the changed {} lies in quarantine, whole", file_name(url));
        self.teller.check(ok, &told, format!("{item:?}"))?;
        self.teller.evidence(&id.to_string())
    }

    pub(super) async fn refuse_under_another_name(&mut self, changed: &Release) -> Result<(), Failure> {
        self.begin(
            "A new file name does not help",
            "In 2022 the bad agent came as a new version. The same build now also lies at the vendor under a \
             new name, for which there is no pin. What nobody has reviewed is refused as well.",
        )?;
        self.stage.vendor.publish(AGENT_RENAMED, "application/octet-stream", changed.agent.clone());
        let way = self.stage.through_the_gateway()?;
        let reply = way.get(SUPPORT_DESK, AGENT_RENAMED, DOWNLOAD_PAGE).await?;
        let ok = reply.is_refused("quarantined", "unpinned", &changed.agent);
        let told = format!("{}: {} is refused with 403", shown(SUPPORT_DESK), file_name(AGENT_RENAMED));
        self.teller.check(ok, &told, reply.seen())?;
        self.teller.evidence(&format!("Pinfold-Verdict: {}", reply.verdict))?;
        self.asked.push((SUPPORT_DESK, AGENT_RENAMED));
        Ok(())
    }

    pub(super) async fn refuse_the_second_stage(&mut self, changed: &Release) -> Result<(), Failure> {
        self.begin(
            "The second stage is refused too",
            "The changed script loads more code, from a host that looks like the vendor's: cornm100, where r \
             and n pass for an m. (Published indicators of the campaign include cornm100[.]io; this one is \
             its stand-in.) The sales laptop ran the script at home. Now it comes into the office, and asks for \
             the rest through the gateway.",
        )?;
        self.stage.look_alike.publish(SECOND_STAGE, "text/javascript", artifacts::second_stage());
        let wanted = artifacts::loads_from(&changed.chat);
        let ok = wanted.as_deref() == Some(SECOND_STAGE);
        let told = format!("the changed script loads {SECOND_STAGE}");
        self.teller.check(ok, &told, wanted.unwrap_or_default())?;
        let home = self.stage.straight_to(&self.stage.look_alike)?;
        let reply = home.get(SALES_LAPTOP, SECOND_STAGE, SUPPORT_PAGE).await?;
        let ok = reply.status == 200 && reply.body == artifacts::second_stage();
        self.teller.check(
            ok,
            "at home it would get it: the look-alike has a valid certificate",
            reply.seen(),
        )?;
        let office = self.stage.through_the_gateway()?;
        let reply = office.get(SALES_LAPTOP, SECOND_STAGE, SUPPORT_PAGE).await?;
        let ok = reply.is_refused("blocked", "unlisted-host", &artifacts::second_stage());
        let told = format!("{}: refused with 403, for no vendor owns that host", shown(SALES_LAPTOP));
        self.teller.check(ok, &told, reply.seen())?;
        self.teller.evidence(&format!("Pinfold-Verdict: {}", reply.verdict))?;
        self.asked.push((SALES_LAPTOP, SECOND_STAGE));
        Ok(())
    }

    fn signer(&self) -> Result<CertificateDer<'static>, Failure> {
        self.stage.signer.cert.first().cloned().ok_or("it is missing").doing("read the vendor's certificate")
    }
}

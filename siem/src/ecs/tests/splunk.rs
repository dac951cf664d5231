//! `deploy/splunk`: the time that Splunk is told to read in a line is the event's.

use super::*;
use crate::record::{Format, Record};

const PROPS: &str = include_str!("../../../../deploy/splunk/props.conf");

/// What a stanza says of a key.
fn setting<'a>(stanza: &str, key: &str) -> &'a str {
    let (_, rest) = PROPS.split_once(&format!("\n[{stanza}]\n")).unwrap();
    let stanza = rest.split("\n[").next().unwrap();
    let mut settings = stanza.lines().filter_map(|line| line.split_once(" = "));
    settings.find(|(name, _)| *name == key).unwrap().1
}

#[test]
fn splunk_reads_the_time_of_each_event_and_cuts_no_line() {
    for format in [Format::Ecs, Format::Ocsf, Format::Cef] {
        let stanza = format!("pinfold:{}", format.as_str());
        let prefix = setting(&stanza, "TIME_PREFIX").replace("\\|", "|");
        let longest: usize = setting(&stanza, "TRUNCATE").parse().unwrap();
        for event in every_event() {
            let record = Record::of(&event, format, &observer());
            let (_, time) = record.line.split_once(&prefix).unwrap();
            let read = if format == Format::Ecs {
                time.split_once('"').unwrap().0.parse::<Timestamp>().unwrap()
            } else {
                let digits = time.split(|char: char| !char.is_ascii_digit()).next().unwrap();
                Timestamp::from_millisecond(digits.parse().unwrap()).unwrap()
            };
            assert_eq!(read.as_millisecond(), record.at.as_millisecond(), "{}", record.line);
            assert!(record.line.len() < longest);
        }
    }
}

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::item::InForce;
use crate::{Filter, StoreError};

fn modes(dir: &Path, found: &mut Vec<(String, u32)>) {
    for entry in dir.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        found.push((path.to_string_lossy().into_owned(), mode));
        if path.is_dir() {
            modes(&path, found);
        }
    }
}

#[tokio::test]
async fn nobody_but_the_owner_can_read_anything() {
    let dir = directory();
    let data = dir.path().join("deep/pinfold-data");
    let store = Store::open_gateway(&data, options()).await.unwrap();
    quarantine(&store, &refused("10.0.0.1:1", noon()), TAMPERED).await;
    let _begun = store.record(verified("10.0.0.1:1", noon())).await.unwrap();

    let mut found = Vec::new();
    modes(dir.path(), &mut found);

    assert!(found.iter().any(|(path, _)| path.ends_with("ledger/2126-11.db-wal")), "{found:?}");
    for (path, mode) in found {
        let expected = if Path::new(&path).is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, expected, "{path}");
    }
}

#[tokio::test]
async fn a_second_gateway_is_told_who_holds_the_directory() {
    let dir = directory();
    let first = gateway(&dir).await;
    let error = Store::open_gateway(dir.path(), options()).await.unwrap_err();
    assert!(
        matches!(error, StoreError::InUse { pid: Some(pid), .. } if pid == std::process::id()),
        "{error}"
    );
    assert!(
        error.to_string().ends_with(&format!("is in use by another gateway, pid {}", std::process::id()))
    );

    first.close().await.unwrap();
    let second = gateway(&dir).await;
    assert!(matches!(first.record(verified("10.0.0.1:1", noon())).await, Err(StoreError::Closed)));
    drop(second);
    gateway(&dir).await;
}

#[tokio::test]
async fn beside_no_gateway_nothing_is_made() {
    let dir = directory();
    let data = dir.path().join("pinfold-data");
    let error = Store::open_beside(&data).await.unwrap_err();
    assert!(matches!(&error, StoreError::Absent { path } if *path == data), "{error}");
    assert!(error.hint().contains("pinfold run"));
    assert!(!data.exists());
}

#[tokio::test]
async fn a_command_reads_beside_the_gateway_and_records_nothing() {
    let dir = directory();
    let store = gateway(&dir).await;
    let _begun = store.record(blocked("10.0.0.1:1", noon())).await.unwrap();
    let beside = Store::open_beside(dir.path()).await.unwrap();
    assert_eq!(beside.exchanges(&Filter::default()).await.unwrap().len(), 1);
    assert!(matches!(beside.record(verified("10.0.0.1:1", noon())).await, Err(StoreError::NotTheGateway)));
    assert!(matches!(beside.feed("x", Repeats::Counted).next(1).await, Err(StoreError::NotTheGateway)));
    beside.close().await.unwrap();

    store.close().await.unwrap();
    let beside = Store::open_beside(dir.path()).await.unwrap();
    assert_eq!(beside.exchanges(&Filter::default()).await.unwrap().len(), 1);
    assert_eq!(beside.in_force(9, std::time::Duration::ZERO).await.unwrap(), InForce::NoGateway);
}

#[tokio::test]
async fn a_newer_or_damaged_file_is_named_and_left_alone() {
    let dir = directory();
    let store = gateway(&dir).await;
    let _begun = store.record(blocked("10.0.0.1:1", noon())).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    for name in ["pinfold.db", "ledger/2126-11.db"] {
        let path = dir.path().join(name);
        let before = std::fs::read(&path).unwrap();

        let mut connection =
            crate::sqlite::open(&path, &crate::sqlite::Schema { version: 1, create: "" }).await.unwrap();
        sqlx::query("PRAGMA user_version = 2").execute(&mut connection).await.unwrap();
        sqlx::Connection::close(connection).await.unwrap();
        let error = Store::open_gateway(dir.path(), options()).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::TooNew { found: 2, known: 1, path: named } if *named == path),
            "{error}"
        );

        std::fs::write(&path, "not a database, and long enough to be read as one: ".repeat(100)).unwrap();
        let error = Store::open_gateway(dir.path(), options()).await.unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert!(error.hint().contains("backup"), "{error}: {}", error.hint());

        std::fs::write(&path, before).unwrap();
    }
    gateway(&dir).await;
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let dir = directory();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Store::open_gateway(&file.join("data"), options()).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::File { doing: "create", path, .. } if path.starts_with(&file)),
        "{error}"
    );
}

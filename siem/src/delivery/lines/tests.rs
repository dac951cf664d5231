use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn file_in(dir: &tempfile::TempDir, name: &str) -> (PathBuf, Lines) {
    let path = dir.path().join(name);
    (path.clone(), Lines::to_file(&path))
}

#[test]
fn a_file_and_its_folders_are_made_for_their_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (path, mut lines) = file_in(&dir, "a/b/events.ndjson");

    lines.append(b"one\n").unwrap();

    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(path.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::read(path).unwrap(), b"one\n");
}

#[test]
fn what_is_there_stays_and_a_torn_last_line_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let (path, mut lines) = file_in(&dir, "events.ndjson");
    fs::write(&path, "one\ntor").unwrap();

    lines.append(b"two\n").unwrap();
    lines.append(b"three\n").unwrap();

    assert_eq!(fs::read_to_string(path).unwrap(), "one\ntor\ntwo\nthree\n");
}

#[test]
fn after_a_rotation_the_path_gets_a_new_file() {
    let dir = tempfile::tempdir().unwrap();
    let (path, mut lines) = file_in(&dir, "events.ndjson");
    lines.append(b"one\n").unwrap();
    fs::rename(&path, dir.path().join("events.1")).unwrap();

    lines.append(b"two\n").unwrap();
    fs::remove_file(&path).unwrap();
    lines.append(b"three\n").unwrap();

    assert_eq!(fs::read_to_string(dir.path().join("events.1")).unwrap(), "one\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
}

#[test]
fn after_a_truncation_lines_follow_where_the_file_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (path, mut lines) = file_in(&dir, "events.ndjson");
    lines.append(b"one\n").unwrap();
    fs::write(&path, "").unwrap();

    lines.append(b"two\n").unwrap();

    assert_eq!(fs::read_to_string(path).unwrap(), "two\n");
}

#[test]
fn what_is_no_file_is_not_opened() {
    let mut lines = Lines::to_file(Path::new("/dev/null"));

    let unwritten = lines.append(b"one\n").unwrap_err();

    assert_eq!((unwritten.done, unwritten.cause.kind()), (0, ErrorKind::InvalidInput));
}

/// A disk with room for so many bytes.
struct Room(usize);

impl Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fits = bytes.len().min(self.0);
        if fits == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        self.0 -= fits;
        Ok(fits)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_says_how_far_it_came() {
    let (written, outcome) = write_counted(&mut Room(6), b"one\ntwo\n");
    assert_eq!((written, outcome.unwrap_err().kind()), (6, ErrorKind::StorageFull));
    let (written, outcome) = write_counted(&mut Room(8), b"one\ntwo\n");
    assert!(written == 8 && outcome.is_ok());
}

#[test]
fn a_full_disk_leaves_whole_lines() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.ndjson");
    for (written, whole, left) in
        [(6, 4, "zero\none\n"), (4, 4, "zero\none\n"), (2, 0, "zero\n"), (0, 0, "zero\n")]
    {
        fs::write(&path, [b"zero\n", &b"one\ntwo\n"[..written]].concat()).unwrap();
        let file = OpenOptions::new().append(true).open(&path).unwrap();

        assert_eq!(take_back(&file, 5, b"one\ntwo\n", written), whole);

        assert_eq!(fs::read_to_string(&path).unwrap(), left, "{written}");
    }
}

#[test]
fn lines_of_another_writer_are_not_taken_away() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.ndjson");
    fs::write(&path, "zero\non theirs\n").unwrap();
    let file = OpenOptions::new().append(true).open(&path).unwrap();

    take_back(&file, 5, b"one\n", 2);

    assert_eq!(fs::read_to_string(&path).unwrap(), "zero\non theirs\n");
}

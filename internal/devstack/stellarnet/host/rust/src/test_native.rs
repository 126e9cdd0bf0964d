//! The corpus of requests that the Go tests generate, run natively. What it
//! answers is committed, and the WebAssembly has to answer the same bytes.
//!
//! `UPDATE=1 cargo test native` writes the answers anew.

use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use flate2::{read::GzDecoder, write::GzEncoder, Compression};

use crate::{
    answer,
    boundary::native::{Entries, LEDGER},
    call_named,
    wire::{Reader, Writer},
};

struct Case {
    name: String,
    export: String,
    request: Vec<u8>,
    entries: Entries,
}

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../testdata")
        .join(name)
}

fn unpack(name: &str) -> Vec<u8> {
    let packed = fs::read(testdata(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let mut bytes = vec![];
    GzDecoder::new(&*packed).read_to_end(&mut bytes).unwrap();
    bytes
}

fn pack(name: &str, bytes: &[u8]) {
    let mut gz = GzEncoder::new(vec![], Compression::best());
    gz.write_all(bytes).unwrap();
    fs::write(testdata(name), gz.finish().unwrap()).unwrap();
}

/// The entries that cases share, then the cases, each with the entries it sees.
fn read_corpus(bytes: &[u8]) -> Vec<Case> {
    let mut r = Reader::new(bytes);
    let shared = r.list(read_entry).unwrap();
    let cases = r
        .list(|r| {
            Ok(Case {
                name: String::from_utf8(r.bytes()?.to_vec())?,
                export: String::from_utf8(r.bytes()?.to_vec())?,
                request: r.bytes()?.to_vec(),
                entries: r
                    .list(Reader::u32)?
                    .into_iter()
                    .map(|i| shared[i as usize].clone())
                    .collect(),
            })
        })
        .unwrap();
    r.end().unwrap();
    cases
}

type Entry = (Vec<u8>, Option<Vec<u8>>);

fn read_entry(r: &mut Reader) -> anyhow::Result<Entry> {
    let key = r.bytes()?.to_vec();
    Ok((key, r.option(Reader::bytes)?.map(<[u8]>::to_vec)))
}

fn run(case: Case) -> Vec<u8> {
    LEDGER.set(case.entries);
    let call = call_named(&case.export).unwrap_or_else(|| panic!("no export {}", case.export));
    answer(&case.request, call)
}

#[test]
fn native_answers_are_the_committed_ones() {
    let corpus = read_corpus(&unpack("corpus.bin.gz"));
    assert!(corpus.len() >= 200, "{} cases", corpus.len());
    let mut w = Writer::default();
    let mut names = vec![];
    let mut answers = vec![];
    for case in corpus {
        names.push(case.name.clone());
        answers.push(run(case));
    }
    w.list(&answers);
    let fresh = w.into_bytes();
    if std::env::var_os("UPDATE").is_some() {
        pack("native.bin.gz", &fresh);
        return;
    }
    let kept = unpack("native.bin.gz");
    let mut r = Reader::new(&kept);
    let kept = r.list(|r| Ok(r.bytes()?.to_vec())).unwrap();
    r.end().unwrap();
    assert_eq!(answers.len(), kept.len(), "answers, see conformance.sh");
    for ((name, answer), kept) in names.iter().zip(&answers).zip(&kept) {
        assert!(
            answer == kept,
            "{name}: other native answer than the committed one, see conformance.sh"
        );
    }
}

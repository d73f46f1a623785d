//! Statements that evidence is bound to.

use affiant_attest::Statement;

/// What can be read is written and read again as the same.
pub fn statement(data: &[u8]) {
    let Ok(statement) = Statement::parse(data) else { return };
    let written = statement.to_bytes().expect("what was read can be written");
    assert_eq!(Statement::parse(&written).as_ref(), Ok(&statement));
    // One statement, one text: evidence of two texts would be two hashes for the same words.
    assert_eq!(statement.to_bytes().expect("as before"), written);
}

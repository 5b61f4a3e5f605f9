//! The tables that a scan's channels use.

use super::error::damaged;
use super::header::{Header, HuffmanSpec};
use super::huffman::Table;
use super::shape::Channel;
use super::standard;
use crate::error::PictureError;

/// Returns the table for first coefficients of this number.
///
/// # Errors
/// If it is not defined or has too many codes.
pub fn first_table(header: &Header, number: u8) -> Result<Table, PictureError> {
    table(&header.dc, number, standard::first)
}

/// Returns the table for the other coefficients of this number.
///
/// # Errors
/// If it is not defined or has too many codes.
pub fn other_table(header: &Header, number: u8) -> Result<Table, PictureError> {
    table(&header.ac, number, standard::others)
}

/// Returns the steps of a channel's quantisation, by its slots.
///
/// # Errors
/// If its table is not defined.
pub fn steps(header: &Header, channel: &Channel) -> Result<[i16; 64], PictureError> {
    match header.quantisation.get(usize::from(channel.quantisation)) {
        Some(Some(table)) => Ok(channel.steps(table)),
        _ => Err(damaged("a quantisation table is not defined")),
    }
}

fn table(
    specs: &[Option<HuffmanSpec>; 4],
    number: u8,
    standard: fn(u8) -> Option<HuffmanSpec>,
) -> Result<Table, PictureError> {
    let own = specs.get(usize::from(number)).cloned().flatten();
    let spec = own.or_else(|| standard(number)).ok_or_else(|| damaged("a Huffman table is not defined"))?;
    Table::new(&spec).ok_or_else(|| damaged("a Huffman table has too many codes"))
}

//! The orientation in a block of EXIF.

use stage_probe::probe;

/// A block gives the same orientation in every format that carries it, and the one that a simple reader finds.
pub fn check(block: &[u8]) {
    // A JPEG's segment has at most 65,535 bytes.
    let block = block.get(..60_000).unwrap_or(block);
    let whole = orientation(block);
    let expected = whole.unwrap_or(1);
    let files = [
        ("JPEG", jpeg(block)),
        ("PNG", png([(b"eXIf", block), (b"IDAT", b"deflated")])),
        ("PNG with its EXIF after its data", png([(b"IDAT", b"deflated"), (b"eXIf", block)])),
        ("WebP", webp(block)),
    ];
    for (name, file) in files {
        match probe(&mut file.as_slice()) {
            Ok(found) => assert_eq!(found.orientation, expected, "in a {name}"),
            Err(error) => panic!("the EXIF of a {name} makes it unreadable: {error}"),
        }
    }
    // A TIFF whose directory is cut off may have the orientation before the cut.
    if let (Ok(found), Some(expected)) = (probe(&mut &*block), whole) {
        assert_eq!(found.orientation, expected, "as a TIFF");
    }
}

/// Reads the orientation in the first directory of a block, 1 without one; `None` if the directory is not whole.
fn orientation(block: &[u8]) -> Option<u8> {
    let block = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
    let little = match block.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let number = |at: usize, bytes: usize| -> Option<u32> {
        let mut digits = block.get(at..at.checked_add(bytes)?)?.to_vec();
        if little {
            digits.reverse();
        }
        Some(digits.into_iter().fold(0, |number, digit| number << 8 | u32::from(digit)))
    };
    let directory = number(4, 4)? as usize;
    let mut found = 1;
    for index in 0..number(directory, 2)? as usize {
        let entry = directory + 2 + 12 * index;
        block.get(entry..entry + 12)?;
        // An entry with a count of 0 has no value.
        if number(entry + 4, 4)? == 0 {
            continue;
        }
        let value = match number(entry + 2, 2)? {
            1 | 6 => number(entry + 8, 1)?,
            3 | 8 => number(entry + 8, 2)?,
            4 | 9 | 13 | 16..=18 => number(entry + 8, 4)?,
            _ => continue,
        };
        if number(entry, 2)? == 0x0112 {
            found = u8::try_from(value).ok().filter(|value| (1..=8).contains(value)).unwrap_or(1);
        }
    }
    Some(found)
}

fn jpeg(block: &[u8]) -> Vec<u8> {
    let mut file = b"\xff\xd8\xff\xe1".to_vec();
    file.extend((8 + block.len() as u16).to_be_bytes());
    file.extend(b"Exif\0\0");
    file.extend(block);
    file.extend(b"\xff\xc0\0\x0b\x08\0\x03\0\x04\x01\x01\x11\0\xff\xda\0\x08\x01\x01\0\0\x3f\0data\xff\xd9");
    file
}

fn png(chunks: [(&[u8; 4], &[u8]); 2]) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let header: &[u8] = b"\0\0\0\x04\0\0\0\x03\x08\x02\0\0\0";
    let [first, second] = chunks;
    for (kind, body) in [(b"IHDR", header), first, second, (b"IEND", b"")] {
        file.extend((body.len() as u32).to_be_bytes());
        file.extend(kind);
        file.extend(body);
        file.extend(crc32fast::hash(&[kind, body].concat()).to_be_bytes());
    }
    file
}

fn webp(block: &[u8]) -> Vec<u8> {
    let mut body =
        b"WEBPVP8X\x0a\0\0\0\x08\0\0\0\x03\0\0\x02\0\0VP8 \x0e\0\0\0\x10\0\0\x9d\x01\x2a\x04\0\x03\0data".to_vec();
    body.extend(b"EXIF");
    body.extend((block.len() as u32).to_le_bytes());
    body.extend(block);
    body.extend(vec![0; block.len() % 2]);
    [b"RIFF".as_slice(), &(body.len() as u32).to_le_bytes(), &body].concat()
}

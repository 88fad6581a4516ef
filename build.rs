//! Compiles what is in `proto` with protox, so that no `protoc` is needed.

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_source_info(true).include_imports(true);
    for folder in ["proto/evenhand/v1", "proto/evenhand/peer/v1"] {
        for file in fs::read_dir(folder)? {
            compiler.open_file(file?.path())?;
        }
    }
    // The encoded set keeps comments and options for reflection.
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out_dir.join("evenhand.bin"), compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure().btree_map(".").compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

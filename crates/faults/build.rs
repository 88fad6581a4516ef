//! Makes the client from `proto/evenhand/v1` with protox, so that no `protoc` is needed.

use std::{error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=../../proto");
    let mut compiler = protox::Compiler::new(["../../proto"])?;
    compiler.include_source_info(true).include_imports(true);
    for file in fs::read_dir("../../proto/evenhand/v1")? {
        compiler.open_file(file?.path())?;
    }
    let set = compiler.file_descriptor_set();
    tonic_prost_build::configure().build_server(false).btree_map(".").compile_fds(set)?;
    Ok(())
}

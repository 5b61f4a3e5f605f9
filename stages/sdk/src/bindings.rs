//! The contract in Rust, generated from `wit/`: with all interfaces that a world may import, and one module for each kind of
//! stage. A component imports only what its code uses, so it fits the narrowest world that has that.
#![allow(missing_docs, clippy::unwrap_used)]

/// For stages that work on one file at a time.
pub mod asset {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package stage:sdk-asset;
            world asset {
                import toq:media/call@1.0.0;
                import toq:media/log@1.0.0;
                import toq:media/metrics@1.0.0;
                import toq:media/progress@1.0.0;
                import toq:media/keys@1.0.0;
                import toq:media/objects@1.0.0;
                import toq:media/object-writer@1.0.0;
                import toq:media/own-objects@1.0.0;
                import toq:media/tags@1.0.0;
                import toq:media/transcoder@1.0.0;
                import toq:media/webhook@1.0.0;
                import toq:media/http@1.0.0;
                export toq:media/asset-stage@1.0.0;
            }
        ",
        world: "stage:sdk-asset/asset",
        // The other module uses them.
        generate_unused_types: true,
        pub_export_macro: true,
        default_bindings_module: "stage_sdk::bindings::asset",
        additional_derives: [PartialEq],
        generate_all,
    });
}

/// For stages that see the whole batch.
pub mod batch {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package stage:sdk-batch;
            world batch {
                import toq:media/types@1.0.0;
                export toq:media/batch-stage@1.0.0;
            }
        ",
        world: "stage:sdk-batch/batch",
        pub_export_macro: true,
        default_bindings_module: "stage_sdk::bindings::batch",
        additional_derives: [PartialEq],
        with: { "toq:media/types@1.0.0": crate::bindings::asset::toq::media::types },
        generate_all,
    });
}

pub use asset::toq;

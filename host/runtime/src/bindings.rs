//! Types and traits generated from `wit/`.
#![allow(missing_docs, clippy::all)]

wasmtime::component::bindgen!({
    path: "../../wit",
    inline: "
        package toq:host;
        /// All interfaces that a world may import, and both kinds of export.
        world host {
            import toq:media/types@1.0.0;
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
            export toq:media/batch-stage@1.0.0;
        }
    ",
    world: "toq:host/host",
    imports: {
        "toq:media/call": trappable,
        "toq:media/log": trappable,
        "toq:media/metrics": trappable,
        "toq:media/progress": trappable,
        "toq:media/keys": trappable,
        default: async | trappable,
    },
    exports: { default: async },
    with: {
        "toq:media/objects.object": crate::host::handles::OpenObject,
        "toq:media/object-writer.writer": crate::host::handles::OpenWriter,
        "toq:media/http.exchange": crate::host::open_exchange::OpenExchange,
    },
});

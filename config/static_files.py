"""Storage that gives static files hashed names, which browsers may cache for ever."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFiles(CompressedManifestStaticFilesStorage):
    """Also rewrites imports inside ES modules to the hashed names."""

    support_js_module_import_aggregation = True
    max_post_process_passes = 12  # each pass follows imports one module deeper

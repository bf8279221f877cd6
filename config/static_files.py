"""Where collected static files get names that browsers may keep for ever."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFiles(CompressedManifestStaticFilesStorage):
    """Also inside ES modules: an import names the hashed file."""

    support_js_module_import_aggregation = True
    max_post_process_passes = 12  # each follows imports one module deeper

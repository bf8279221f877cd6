"""How the admin writes times; FORMAT_MODULE_PATH names this folder."""

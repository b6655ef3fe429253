"""The languages of the window: ``tensor-inspector_de.ts`` for translators, ``.qm`` made of it."""

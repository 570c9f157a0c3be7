"""What the owner lets the model call: a table, a calculator, opening hours, a web hook of the owner's own."""

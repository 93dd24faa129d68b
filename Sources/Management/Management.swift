// Management: to be filled.

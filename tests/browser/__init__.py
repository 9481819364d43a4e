"""What a person does with the panel, in a real JupyterLab in a real browser."""

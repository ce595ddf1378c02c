"""Pure builders: values in, manifests out."""

"""An inference pod beside noisy neighbours, with and without cores of its own, on the development cluster."""

"""The data plane's edge: route, admit, hold, dispatch, stream, account."""

"""The client's side of UCWA: pure flows, one module per part of the protocol."""

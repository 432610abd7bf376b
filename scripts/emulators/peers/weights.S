/* The weights that weights.ts made, in a section that link.ld puts where the chip's flash has room. */
.section .weights, "a"
.balign 16
.global peer_matrices
peer_matrices:
.incbin MATRICES_FILE
.balign 16
.global peer_vectors
peer_vectors:
.incbin VECTORS_FILE
.balign 4
#if defined(__linux__)
.section .note.GNU-stack, "", %progbits
#endif

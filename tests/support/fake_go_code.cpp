// The machine code of fake_go_code.h. The first instruction of the map function is the
// `push %rbp` that a probe goes on in Go 1.21 and newer.
#include "support/fake_go_code.h"

// r12 holds the FakeRun throughout: Go code has no callee-saved registers, ours may.
asm(R"(
    .text
    .p2align 6
    .globl fake_text_start
fake_text_start:

    .globl fake_runtime_start
fake_runtime_start:
    .globl fake_map_function
fake_map_function:
    push %rbp
    mov %rsp, %rbp
    call fake_other_function
    mov 64(%r12), %rax
    pop %rbp
    .globl fake_map_return
fake_map_return:
    ret
    .globl fake_map_function_end
fake_map_function_end:
    .p2align 4
    .globl fake_other_function
fake_other_function:
    push %rbp
    mov %rsp, %rbp
    mov 32(%r12), %rax
    mov 40(%r12), %rdi
    mov 48(%r12), %rsi
    mov 56(%r12), %rdx
    syscall
    pop %rbp
    ret
    .globl fake_other_function_end
fake_other_function_end:
    .globl fake_runtime_end
fake_runtime_end:

    .p2align 4
    .globl fake_user_start
fake_user_start:
    .globl fake_user_code
    .type fake_user_code, @function
fake_user_code:
    push %rbp
    mov %rsp, %rbp
    push %rbx
    push %r12
    push %r14
    sub $8, %rsp
    mov %rdi, %r12
    mov (%r12), %r14
    mov 8(%r12), %rax
    mov 16(%r12), %rbx
    mov 24(%r12), %rcx
    mov 88(%r12), %rdx
    test %rdx, %rdx
    cmovne %rdx, %rbp
    mov 72(%r12), %rdx
    cmp 80(%r12), %rdx
    call fake_map_function
    .globl fake_after_map_call
fake_after_map_call:
    call fake_other_function
    add $8, %rsp
    pop %r14
    pop %r12
    pop %rbx
    pop %rbp
    ret
    .globl fake_user_end
fake_user_end:
    .globl fake_text_end
fake_text_end:
)");

/* Takes back what form.c defines for one reading of spec/instructions.def: the next size of code
   defines it anew. Included again and again, on purpose. */
#undef FORM64
#undef FORM32
#undef FORM
#undef M
#undef AT
#undef SEL
#undef A
#undef C
#undef B
#undef DI
#undef SP
#undef WA
#undef WC
#undef WDI
#undef PUSHW
#undef POPFW
#undef LRET
#undef USER_CODE
#undef CONFORMING
#undef CODE_AT
#undef DATA_AT
#undef STACK_AT
#undef LINEAR

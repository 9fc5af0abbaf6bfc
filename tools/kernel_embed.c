/* Build-time only: kernel_embed OUT.c FILE.cl...  writes a table of file names and texts. */

#include <stdio.h>
#include <string.h>

static int embed(FILE *out, const char *path)
{
    FILE *in = fopen(path, "rb");
    if (!in) return perror(path), 1;
    const char *slash = strrchr(path, '/');
    fprintf(out, "    { \"%s\",\n      \"", slash ? slash + 1 : path);
    for (int c; (c = fgetc(in)) != EOF;) {
        if (c == '\n')
            fputs("\\n\"\n      \"", out);
        else if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else
            fputc(c, out);
    }
    fputs("\" },\n", out);
    return fclose(in) ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) return fputs("usage: kernel_embed OUT.c FILE.cl...\n", stderr), 2;
    FILE *out = fopen(argv[1], "w");
    if (!out) return perror(argv[1]), 1;
    fputs("#if defined(__GNUC__)\n#pragma GCC diagnostic ignored \"-Woverlength-strings\"\n#endif\n", out);
    fputs("#include \"device/embedded.h\"\n\nconst clgrad_embedded_kernel clgrad_embedded_kernels[] = {\n", out);
    for (int i = 2; i < argc; i++)
        if (embed(out, argv[i])) return 1;
    fputs("    { NULL, NULL },\n};\n", out);
    return fclose(out) ? 1 : 0;
}

// Has the precompiled header of the test programs made; see CMakeLists.txt.
int main() { return 0; }

extern "C" int GONE_FUNCTION();
extern "C" int GONE_FUNCTION() { return 0; }

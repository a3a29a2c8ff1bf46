lrtune_test(operations_test
  SOURCES unit/http_server_test.cc unit/operations_test.cc unit/health_test.cc unit/operations_page_test.cc
          support/http_client.cc
  DEPENDS lrtune_operations
  LABELS unit)

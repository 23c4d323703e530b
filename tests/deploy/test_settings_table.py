from deploy.settings_table import TARGET, settings_page


def test_the_committed_page_is_what_the_settings_make():
    assert TARGET.read_text(encoding="utf-8") == settings_page(), "run `make docs`"


def test_a_row_has_flag_variable_default_range_and_sentence():
    row = "| `--heartbeat-s` | `UNFLAT_GATEWAY_HEARTBEAT_S` | 10 | above 0 | Between the signs of life on a stream"
    assert row in settings_page()
    assert "| `--provider` | `UNFLAT_SEGMENTATION_PROVIDER` | auto | auto, cpu, cuda, openvino |" in settings_page()
